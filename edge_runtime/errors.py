"""What can go wrong in the runtime, sorted by what the caller can do about it.

EdgeRuntimeError
├── ConfigError     refuse to start (or to reload): lists every problem with its path
├── BundleError     refuse this bundle set: a hash, shape, version or golden vector is off
├── InterpreterError  call a person: no usable TFLite runtime is installed
├── StoreError      storage: alarm, keep monitoring, keep what is buffered
│   ├── StoreInUseError  another process records there: ask that one
│   └── ClockJumpError   the wall clock is not to be trusted for a while
│   └── StoreInUseError  another process records there: ask that one
└── PathError       the signal cannot be processed as described (rate, shape)
"""


class EdgeRuntimeError(Exception):
    """Root of every error this package raises. The message says what to do."""


class ConfigError(EdgeRuntimeError):
    """The configuration is not acceptable; the message lists every problem."""


class BundleError(EdgeRuntimeError):
    """A bundle set is damaged, incompatible or does not reproduce its golden vectors."""


class InterpreterError(EdgeRuntimeError):
    """No TFLite runtime is installed, or it cannot work here; the message says what to install."""


class StoreError(EdgeRuntimeError):
    """The store cannot be opened or written. `part` is what an alarm calls the trouble."""

    part = "store"


class StoreInUseError(StoreError):
    """Another process has the directory."""


class ClockJumpError(StoreError):
    """The wall clock was set while the daemon ran."""

    part = "clock"


class UpdateError(EdgeRuntimeError):
    """An update was refused, or could not be fetched or kept; the present models run on."""


class PathError(EdgeRuntimeError):
    """A signal has a rate or shape that the signal path does not take."""
