"""A whole computer in QEMU, whose power can really be cut."""
