"""The recipes that ship: each is the whole of what a training run depends on besides data."""
