"""Devices in software: they speak the real protocols, in real time, with faults on demand."""
