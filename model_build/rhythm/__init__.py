"""Rhythm of ten seconds and more: recordings, tensors, training, evaluation and export."""
