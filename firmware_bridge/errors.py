"""What can go wrong at a device or a record file, sorted by what the caller can do about it.

    BridgeError
    ├── LinkError        try again later: the device is away, busy or went silent
    ├── ProtocolError    resynchronize: bytes arrived that make no sense
    ├── RecordError      this file cannot be read (or written): say so and go on without it
    └── UsageError       a person must change something: wrong name, rate, option, permission

Vendor exceptions (serial, bleak, OSError) are translated at the link that met them.
"""


class BridgeError(Exception):
    """Root of every error this package raises. The message says what to do."""


class LinkError(BridgeError):
    """The device cannot be reached or stopped answering; retrying is sensible."""


class ProtocolError(BridgeError):
    """Bytes arrived that the protocol does not allow; the parser resynchronizes."""


class RecordError(BridgeError):
    """A record file is missing, truncated, inconsistent or of a format not supported."""


class RateUnknownError(RecordError):
    """A record does not say its sampling rate, and none was given."""


class UsageError(BridgeError):
    """The request itself is wrong; a person has to change it."""
