"""Where events go besides the store."""
