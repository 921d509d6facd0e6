"""From configuration to running device drivers."""
