"""The publisher's side of updates: keys, and a signed repository of bundle sets and firmware."""
