"""Scoring: how a test annotator compares with a reference."""
