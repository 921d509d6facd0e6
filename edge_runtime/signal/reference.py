"""Which signal of a stream the engine works on."""

from edge_runtime.errors import PathError
from firmware_bridge.stream import SignalInfo, StreamOpened


def reference_of(opened: StreamOpened) -> SignalInfo:
    """The first ECG, or of a strap without any its RR. Raises PathError where there is neither."""
    try:
        return opened.reference
    except StopIteration:
        kinds = ", ".join(signal.kind.value for signal in opened.signals) or "nothing"
        raise PathError(
            f"source {opened.source} sends {kinds} but no ECG; choose another device"
        ) from None
