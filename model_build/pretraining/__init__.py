"""Pre-training of the student's beat encoder: delineation and masked stretches of beat windows.

Its data (`datasets.leads`) hold nobody of mitdb or svdb, so one pre-training serves every fold:
the P-wave marks of mitdb (`datasets.mitdb_pwave`) act in the training of the student alone, where
they are left out with their fold.
"""
