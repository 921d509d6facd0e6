"""Chest straps: what their notifications say, as values and stream items. No I/O."""
