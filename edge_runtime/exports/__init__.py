"""Stored sessions in the formats of others. Pseudonymous: no wearer and no device address."""
