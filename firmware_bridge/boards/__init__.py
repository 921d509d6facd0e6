"""Boards on a serial port that speak a format of their own: one driver a file, no I/O."""
