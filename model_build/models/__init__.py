"""Networks: what is trained, and the graphs that are shipped."""
