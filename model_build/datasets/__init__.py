"""The ECG archives: what they are, where they lie, who is in them and what their marks mean."""
