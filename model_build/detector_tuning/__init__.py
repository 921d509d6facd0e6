"""How the constants of the R-peak detector were chosen, to be run again.

    python -m model_build.detector_tuning --data DIR

Records: DS1 without 201, 118 and 119 (the latter two are the noise stress test's patients), svdb,
cpsc2021, and of nstdb's noise only what may train. No DS2 subject is read.

The score is learnt by imitation: the detector runs over the training records while the truth
decides, and every comparison it makes is a labelled example; from then on it runs on its own
decisions, so that it also learns from the states its own mistakes lead to.
"""
