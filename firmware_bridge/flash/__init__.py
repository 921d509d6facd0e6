"""New firmware onto devices in the field, without a brick: MCUboot images over MCUmgr's SMP.

`image` and `signature` decide about a file, `session` about a device, `fleet` about many.
"""
