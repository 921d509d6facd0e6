"""From the name of a driver and what a person set to the driver itself."""

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from firmware_bridge.driver import Driver
from firmware_bridge.driver_names import BOARD_NAMES, LSL, OWN_PROTOCOL, brought, driver_names
from firmware_bridge.errors import UsageError

DriverMaker = Callable[["DriverRequest"], Driver]
"""What an entry point in the group `ecg_edge.drivers` is. It opens nothing yet; drivers are single
use, so it is called again for each new try."""


@dataclass(frozen=True, slots=True)
class DriverRequest:
    """What is asked of a driver. `source` is the name that StreamOpened must carry; `port` says
    where the device is, in the driver's own way. None: what the device's maker chose."""

    source: str
    port: str
    baud: int | None = None
    rate_hz: int | None = None
    counts_per_mv: float | None = None


def driver_maker(name: str) -> DriverMaker:
    """What makes drivers of that name.

    Raises UsageError for a name that nothing stands for, or whose package does not load;
    ModuleNotFoundError where an extra is missing.
    """
    if name == OWN_PROTOCOL:
        return _own_protocol()
    if name in BOARD_NAMES:
        return _board(name)
    if name == LSL:
        return _lsl()
    point = brought().get(name)
    if point is None:
        close = difflib.get_close_matches(name, driver_names(), n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise UsageError(f"no driver {name!r}; there are {', '.join(driver_names())}{hint}")
    try:
        made: DriverMaker = point.load()
    except (ImportError, AttributeError) as error:
        raise UsageError(f"driver {name}: {point.value} does not load: {error}") from error
    return made


def _own_protocol() -> DriverMaker:
    from firmware_bridge.links.serial import DEFAULT_BAUD, SerialSensor  # noqa: PLC0415 - an extra

    return lambda asked: SerialSensor(asked.source, asked.port, asked.baud or DEFAULT_BAUD)


def _lsl() -> DriverMaker:
    try:
        from firmware_bridge.links.lsl import LslInlet  # noqa: PLC0415 - an extra
    except RuntimeError as error:  # pylsl's word for a missing library
        raise UsageError(
            "pylsl finds no liblsl on this machine; install the system's (github.com/sccn/liblsl)"
        ) from error

    return lambda asked: LslInlet(asked.source, asked.port, asked.counts_per_mv)


def _board(name: str) -> DriverMaker:
    from firmware_bridge.boards.catalogue import BOARDS  # noqa: PLC0415 - numpy only when needed
    from firmware_bridge.boards.conversation import BoardConversation  # noqa: PLC0415
    from firmware_bridge.links.serial import SerialDevice  # noqa: PLC0415 - an extra

    board = BOARDS[name]

    def make(asked: DriverRequest) -> Driver:
        talk = BoardConversation(
            asked.source,
            board,
            rate_hz=None if asked.rate_hz is None else Fraction(asked.rate_hz),
            counts_per_mv=asked.counts_per_mv,
        )
        return SerialDevice(asked.port, asked.baud or board.baud, talk)

    return make
