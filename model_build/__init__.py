"""Offline: real ECG archives in, an evaluated INT8 bundle set out."""
