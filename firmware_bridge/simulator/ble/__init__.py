"""Straps in software behind a private org.bluez, for unmodified Bluetooth clients."""
