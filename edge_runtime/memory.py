"""Keeping a daemon that runs for months small."""

import ctypes
import sys


def release_free_memory() -> None:
    """Give freed memory back to the system where the C library is glibc (malloc_trim(3)).

    Small arrays of changing sizes leave holes that glibc keeps: 10 MB within minutes, here.
    """
    if sys.platform != "linux":
        return
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
