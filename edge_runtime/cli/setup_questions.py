"""The questions of `edge-runtime setup`, one after the other, on a terminal."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import click

from edge_runtime.config import Config
from edge_runtime.errors import ConfigError
from edge_runtime.setting_up import Answers, Page, is_address, likely_mains_hz, time_zone
from edge_runtime.wearers import check
from firmware_bridge.driver_names import BOARD_NAMES, OWN_PROTOCOL, DriverName
from firmware_bridge.errors import BridgeError

_PORT_PATTERNS: Final = ("serial/by-id/*", "ttyUSB*", "ttyACM*")
_PAGES: Final[tuple[tuple[Page, str], ...]] = (
    ("off", "none"),
    ("here", "on this machine alone"),
    ("lan", "for phones and tablets in this network too, by HTTPS and a login"),
)


@dataclass(frozen=True, slots=True)
class Found:
    """A sensor that is there: `address` is a port's path or a Bluetooth address."""

    address: str
    words: str


def serial_ports(devices: Path = Path("/dev")) -> list[Found]:
    """USB serial ports, by the names that stay when they are plugged in elsewhere."""
    found: dict[Path, Found] = {}
    for pattern in _PORT_PATTERNS:
        for port in sorted(devices.glob(pattern)):
            found.setdefault(port.resolve(), Found(str(port), "serial port"))
    return list(found.values())


class Questions:
    """Asks a person; `now` is the configuration in force. `look` finds sensors and says what it
    could not look at; `examine(port, driver)` is what a port's device says of itself, or raises
    BridgeError."""

    def __init__(
        self,
        now: Config,
        look: Callable[[], tuple[Sequence[Found], Sequence[str]]],
        examine: Callable[[str, str], dict[str, Any]],
    ) -> None:
        self._now, self._look, self._examine = now, look, examine

    def ask(self) -> Answers:
        """All of them. What is in force is what Enter gives."""
        click.echo("ecg-edge setup. Enter takes what is in brackets; Ctrl-C changes nothing.")
        sensor, driver = self._sensor()
        name = ""
        while sensor not in {None, "none"} and not name:
            name = click.prompt("What to call it", default="chest").strip()
        return Answers(
            sensor=sensor,
            driver=driver,
            name=name or "sensor",
            mains_hz=self._mains(),
            wearer=self._wearer(name),
            page=self._page(),
            service=click.confirm("Start monitoring now, and at every boot", default=True),
        )

    def _sensor(self) -> tuple[str | None, DriverName]:
        """Its address, and what it is; None leaves it as it is."""
        while True:
            _heading("Sensor")
            for source in self._now.source:
                click.echo(f"   configured: {source.name}, {source.port}")
            found, unable = self._look()
            for number, one in enumerate(found, 1):
                click.echo(f"{number:4}  {one.address}  {one.words}")
            if not found:
                click.echo("   none found; plug it in, or moisten the strap and wear it")
            for line in unable:
                click.echo(f"   {line}")
            default = "k" if self._now.source else "1" if found else "r"
            kept = "k keep what is configured, " if self._now.source else ""
            said = click.prompt(
                f"A number, a port's path or a strap's address; {kept}r look again, n none",
                default=default,
            ).strip()
            if said in {"k", "n"}:
                return (None if said == "k" else "none"), OWN_PROTOCOL
            if said.isdecimal() and 1 <= int(said) <= len(found):
                said = found[int(said) - 1].address
            if is_address(said):
                return said, DriverName("ble")
            if said.startswith(("/", "tcp://")):
                driver = self._driver(said)
                if driver is not None:
                    return said, driver
            elif said != "r":
                click.echo(f"   there is no {said!r}")

    def _driver(self, port: str) -> DriverName | None:
        """What is on `port`; None: another port."""
        names = (OWN_PROTOCOL, *BOARD_NAMES)
        click.echo("   serial is a sensor of this project's own protocol, the others are boards")
        driver: str = click.prompt(
            "What is on it", type=click.Choice(names), default=OWN_PROTOCOL, show_choices=True
        )
        try:
            told = self._examine(port, driver)
        except BridgeError as error:
            click.echo(f"   {error}")
            return DriverName(driver) if click.confirm("Take it all the same") else None
        leads = ", ".join(told["leads"])
        click.echo(f"   {told['model'] or told['family']}: {leads} at {told['rate_hz']:g} Hz")
        return DriverName(driver)

    def _mains(self) -> Literal[50, 60]:
        _heading("Mains")
        is_set = self._now.signal.mains_hz == 60
        default = 60 if is_set else likely_mains_hz(time_zone())
        said = click.prompt(
            "Frequency of the grid where the wearer is, in Hz",
            type=click.Choice(["50", "60"]),
            default=str(default),
        )
        return 60 if said == "60" else 50

    def _wearer(self, name: str) -> str:
        _heading("Wearer")
        click.echo("   a pseudonym; the name itself goes nowhere (edge-runtime wearer identify)")
        subjects = {source.name: source.subject for source in self._now.source}
        while True:
            said: str = click.prompt(
                "Pseudonym, empty for none", default=subjects.get(name) or "", show_default=True
            ).strip()
            try:
                check(said)
            except ConfigError as error:
                click.echo(f"   {error}")
            else:
                return said

    def _page(self) -> Page:
        _heading("Page")
        web = self._now.web
        now = 2 if web.lan else 1
        for number, (_, words) in enumerate(_PAGES):
            click.echo(f"{number:4}  {words}")
        chosen: int = click.prompt("The page", type=click.IntRange(0, len(_PAGES) - 1), default=now)
        return _PAGES[chosen][0]


def _heading(words: str) -> None:
    click.echo()
    click.secho(words, bold=True)
