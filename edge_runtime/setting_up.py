"""What `edge-runtime setup` decides: answers in, saved settings out. No terminal here."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from cattrs import ClassValidationError

from edge_runtime.config_problems import make_converter, problems
from edge_runtime.errors import ConfigError
from edge_runtime.wearers import check
from firmware_bridge.driver_names import OWN_PROTOCOL, DriverName

Page = Literal["off", "here", "lan"]
SIXTY_HZ: Final = ("America/", "US/", "Canada/", "Asia/Seoul", "Asia/Taipei", "Asia/Manila")
"""Time zones of grids at 60 Hz, as far as a zone tells; Brazil is among them. 50 Hz elsewhere."""
_FIFTY_IN_AMERICA: Final = ("Argentina/", "Buenos", "Santiago", "Asuncion", "Montevideo", "La_Paz")


@dataclass(frozen=True, slots=True)
class Answers:
    """All that setup asks. `sensor`: a serial port's path, a strap's Bluetooth address, or "none"
    for later. `driver` says what is on a port; a strap is always `ble`. `page`: "off", "here" (this
    machine alone) or "lan". `service`: start it now and at every boot. An answers file has these
    names as keys; what it leaves out stays as it is."""

    sensor: str | None = None
    driver: DriverName = OWN_PROTOCOL
    name: str = "sensor"
    mains_hz: Literal[0, 50, 60] | None = None
    wearer: str | None = None
    page: Page | None = None
    service: bool = True

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("name is empty")

    @property
    def is_strap(self) -> bool:
        """Its `sensor` is a Bluetooth address: six pairs of hexadecimal digits."""
        return self.sensor is not None and is_address(self.sensor)


def is_address(text: str) -> bool:
    """A Bluetooth address, as 24:AC:AC:01:02:03."""
    parts = text.split(":")
    try:
        return len(parts) == 6 and all(len(p) == 2 and int(p, 16) >= 0 for p in parts)
    except ValueError:
        return False


def read_answers(file: Path) -> Answers:
    """The answers of a TOML file. Raises ConfigError with every mistake."""
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{file}: cannot be read: {error}") from error
    try:
        answers: Answers = make_converter().structure(table, Answers)
    except ClassValidationError as error:
        raise ConfigError("\n".join(problems(error, table, Answers))) from error
    if answers.wearer:
        check(answers.wearer)
    return answers


def settings(before: dict[str, Any], answers: Answers) -> dict[str, Any]:
    """What to save: `before` with the answers in it. A strap is remembered by pairing, not here."""
    table = {**before}
    if answers.sensor is not None:
        others = [s for s in before.get("source", []) if s.get("name") != answers.name]
        if answers.sensor != "none" and not answers.is_strap:
            source = {"name": answers.name, "port": answers.sensor, "driver": answers.driver}
            others = [s for s in others if s.get("port") != answers.sensor] + [source]
        table["source"] = others
        if not others:
            del table["source"]
    if answers.mains_hz is not None:
        table["signal"] = {**before.get("signal", {}), "mains_hz": answers.mains_hz}
    if answers.page is not None:
        page = {"enabled": answers.page != "off", "lan": answers.page == "lan"}
        table["web"] = {**before.get("web", {}), **page}
    return table


def likely_mains_hz(zone: str) -> Literal[50, 60]:
    """The grid's frequency where the clocks show this zone; a person confirms it."""
    is_sixty = zone.startswith(SIXTY_HZ) and not any(part in zone for part in _FIFTY_IN_AMERICA)
    return 60 if is_sixty else 50


def time_zone(localtime: Path = Path("/etc/localtime")) -> str:
    """This machine's time zone, as Europe/Berlin; empty where it says none."""
    _, found, zone = str(localtime.resolve()).partition("/zoneinfo/")
    return zone if found else ""
