"""Boards in software: each speaks its maker's format, from the maker's description of it."""
