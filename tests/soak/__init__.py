"""A ward of emulated sensors on which everything goes wrong, and a daemon that reads them."""
