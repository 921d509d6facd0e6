"""Links: how bytes come from a device, and what happens when they stop."""
