"""The delineation bundle: onset, peak and end of P, QRS and T in a beat window of one lead.

Trained on archives whose waves were marked by people (ludb, qtdb) and on the P-wave peaks of
training records of mitdb; scored on subjects left out, in the marks' own samples.
"""
