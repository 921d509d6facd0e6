"""Devices: wire protocols, links, clocks, record files and simulators."""
