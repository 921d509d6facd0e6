"""What a person can set, where each value came from, and every mistake at once.

Layers, later ones win: defaults, the configuration file (a person's, never written by us), what
`edge-runtime setup` saved beside the recordings, `--set KEY=VALUE`. The straps that were paired (a
file that `pair` writes beside the recordings) are further sources behind those. Unknown keys are
refused with their path and a suggestion (`edge_runtime.config_problems` finds the words).
"""

import socket
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from cattrs import ClassValidationError, IterableValidationError

from edge_runtime import saved_settings
from edge_runtime.alarms.signals import AlarmSettings
from edge_runtime.config_effects import Effect, takes_effect
from edge_runtime.config_problems import make_converter, problems
from edge_runtime.errors import ConfigError
from edge_runtime.inference.accelerator import AcceleratorConfig
from edge_runtime.integrations.settings import (
    LOOPBACK,
    HeartbeatConfig,
    LslConfig,
    MqttConfig,
    PhoneConfig,
    WebhookConfig,
)
from edge_runtime.mark_button import ButtonConfig
from edge_runtime.rules.bounds import bounded, check_bounds
from edge_runtime.rules.settings import RuleSettings
from edge_runtime.start_log import SafeModeConfig
from edge_runtime.store.retention import RetentionSettings
from edge_runtime.update.settings import UpdateConfig
from firmware_bridge.driver_names import OWN_PROTOCOL, DriverName
from firmware_bridge.errors import UsageError
from firmware_bridge.known_devices import FILE_NAME, KnownDevice, read_known

SYSTEM_FILE: Final = Path("/etc/edge-runtime/config.toml")
SHIPPED_BUNDLES: Final = Path(__file__).parent / "bundles" / "default"


@dataclass(frozen=True, slots=True)
class SourceConfig:
    """One device. `driver` says what it is: `serial` a sensor of the own protocol, `ble` a strap,
    then boards and `lsl` streams (docs/drivers.md). `port` is the serial port's path, or
    `tcp://HOST:PORT` in its place; with driver `ble` the strap's Bluetooth address. `name` tells it
    from others. `lead` is a lead's name, its number from 0, or "auto": the best by quality; peaks
    are found on it. `leads`: beats are classified on at most so many leads, 1 or 2. `subject` names
    the wearer in the store.
    What the device's maker uses stays with `baud` 0, `rate_hz` 0 and, of a board, `counts_per_mv`
    0. Of a strap: `family` ("auto": by what it offers), `serial` as pinned at pairing (another
    strap is refused) and `adapter` (BlueZ's name of it, as hci1); `accelerometer_hz` keeps a Polar
    strap's acceleration beside its ECG, at a rate that the strap has (H10: 25, 50, 100, 200)."""

    port: str
    name: str = "sensor"
    driver: DriverName = OWN_PROTOCOL
    baud: int = bounded(0, 0, 12_000_000)
    family: Literal["auto", "ecg-edge", "polar", "movesense", "heart-rate"] = "auto"
    serial: str | None = None
    rate_hz: int = bounded(0, 0, 1000)
    counts_per_mv: float = bounded(0.0, 0.0, 1e9)
    adapter: str | None = None
    accelerometer_hz: int = bounded(0, 0, 1000)
    lead: str | int = "auto"
    leads: int = bounded(2, 1, 2)
    subject: str | None = None

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("name is empty")
        check_bounds(self)


@dataclass(frozen=True, slots=True)
class SignalConfig:
    """How the signal is conditioned. `mains_hz` is the grid's frequency where the wearer is,
    0 for no notch; `ring_minutes` of raw signal stay in memory."""

    mains_hz: Literal[0, 50, 60] = 50
    ring_minutes: float = bounded(10.0, 1.0, 120.0)

    def __post_init__(self) -> None:
        check_bounds(self)


@dataclass(frozen=True, slots=True)
class SiteRulesConfig:
    """Rules of the site's own: a TOML file of `[[rule]]` tables (docs/alarms.md), loaded anew while
    the daemon runs whenever it changes."""

    file: Path | None = None


@dataclass(frozen=True, slots=True)
class SoundConfig:
    """Whether alarms are heard: `alsa` plays bursts with `aplay` on `device` (`aplay -L`). Tested
    at the start; a failure is a technical alarm."""

    output: Literal["off", "alsa"] = "off"
    device: str = "default"


@dataclass(frozen=True, slots=True)
class StoreConfig:
    """Where recordings go. `durability_s`: at most this much is lost when the power goes.
    `raw`: keep the signal too, not only the events."""

    directory: Path = Path("/var/lib/edge-runtime")
    durability_s: float = bounded(5.0, 0.5, 60.0)
    raw: bool = True

    def __post_init__(self) -> None:
        check_bounds(self)


@dataclass(frozen=True, slots=True)
class BundleConfig:
    """Which bundle set to run: the folder that holds its `set.toml`. Left as it is: the newest that
    an update has brought, else the shipped one. Another folder is signed by nobody, and is run
    only with `unsigned`, which is then shown all the time."""

    directory: Path = SHIPPED_BUNDLES
    unsigned: bool = False


@dataclass(frozen=True, slots=True)
class WebConfig:
    """The local page and its API, off unless `enabled` (it needs the extra `web`). Beyond loopback
    it takes HTTPS, with `certificate` and `key` as PEM files, and a login for reading too. `hosts`
    are further names under which it may be asked for. `lan` opens it to the local network without
    more ado (extra `lan`): a certificate is made, this machine's names are allowed, and people come
    in by `edge-runtime invite`."""

    enabled: bool = False
    lan: bool = False
    host: str = "127.0.0.1"
    port: int = bounded(8137, 1, 65_535)
    hosts: tuple[str, ...] = ()
    certificate: Path | None = None
    key: Path | None = None

    def __post_init__(self) -> None:
        check_bounds(self)
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key belong together")
        if not self.is_loopback and self.certificate is None and not self.lan:
            raise ValueError(
                f"{self.host} can be reached from other machines, and plain HTTP would show "
                "everybody the ECG and the password; give certificate and key, or use 127.0.0.1"
            )

    @property
    def is_loopback(self) -> bool:
        """Only this machine can reach it."""
        return self.host in LOOPBACK and not self.lan

    @property
    def listens_on(self) -> str:
        """The address that the socket is bound to."""
        return "0.0.0.0" if self.lan and self.host in LOOPBACK else self.host

    @property
    def address(self) -> str:
        """What one types into a browser."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        if self.listens_on != self.host:
            host = f"{socket.gethostname().partition('.')[0].lower()}.local"
        return f"http{'s' if self.certificate or self.lan else ''}://{host}:{self.port}/"


@dataclass(frozen=True, slots=True)
class Config:
    """The whole configuration of one daemon."""

    source: tuple[SourceConfig, ...] = field(
        default_factory=tuple, metadata=takes_effect(Effect.SOURCE)
    )
    signal: SignalConfig = field(default_factory=SignalConfig, metadata=takes_effect(Effect.SOURCE))
    alarms: AlarmSettings = field(default_factory=AlarmSettings, metadata=takes_effect(Effect.LIVE))
    rules: RuleSettings = field(default_factory=RuleSettings, metadata=takes_effect(Effect.LIVE))
    site_rules: SiteRulesConfig = field(default_factory=SiteRulesConfig)
    sound: SoundConfig = field(default_factory=SoundConfig)
    button: ButtonConfig = field(default_factory=ButtonConfig)
    store: StoreConfig = field(default_factory=StoreConfig)
    retention: RetentionSettings = field(
        default_factory=RetentionSettings, metadata=takes_effect(Effect.LIVE)
    )
    bundles: BundleConfig = field(default_factory=BundleConfig)
    update: UpdateConfig = field(default_factory=UpdateConfig)
    accelerator: AcceleratorConfig = field(default_factory=AcceleratorConfig)
    web: WebConfig = field(default_factory=WebConfig)
    safe_mode: SafeModeConfig = field(default_factory=SafeModeConfig)
    mqtt: MqttConfig = field(default_factory=MqttConfig)
    webhook: tuple[WebhookConfig, ...] = ()
    phone: tuple[PhoneConfig, ...] = ()
    heartbeat: HeartbeatConfig = field(default_factory=HeartbeatConfig)
    lsl: LslConfig = field(default_factory=LslConfig)

    def __post_init__(self) -> None:
        for kind, table in (
            ("sources", self.source),
            ("webhooks", self.webhook),
            ("phones", self.phone),
        ):
            names = [one.name for one in table]
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"two {kind} have the same name {twice[0]!r}")


@dataclass(frozen=True, slots=True)
class Layer:
    """One origin of values: a nested table and the words that say where it came from."""

    origin: str
    table: dict[str, Any]


def load(
    file: Path | None, settings: Sequence[str] = (), saved: dict[str, Any] | None = None
) -> tuple[Config, tuple[Layer, ...]]:
    """The configuration out of `file` (None: the system's, if there is one) and `--set` strings;
    as it would be with `saved` in place of what setup saved, where that is given.

    Raises ConfigError that lists every problem with its path.
    """
    layers: list[Layer] = []
    if file is not None:
        layers.append(Layer(str(file), _read_toml(file)))
    elif SYSTEM_FILE.exists():
        layers.append(Layer(str(SYSTEM_FILE), _read_toml(SYSTEM_FILE)))
    told = [Layer(f"--set {text}", _parse_setting(text)) for text in settings]
    layers += _saved(_merged(layers), _merged([*layers, *told]), saved)
    layers += told
    layers += _paired(_merged(layers))
    return structure(_merged(layers)), tuple(layers)


def _merged(layers: Sequence[Layer]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for layer in layers:
        merged = _merge(merged, layer.table)
    return merged


def _saved(
    by_hand: dict[str, Any], table: dict[str, Any], saved: dict[str, Any] | None
) -> Iterator[Layer]:
    """What `edge-runtime setup` chose, over the file `by_hand`; `table` says where the store is."""
    directory = _store_directory(table)
    if saved is None and directory is not None:
        saved = saved_settings.read(directory)
    if directory is not None and saved:
        yield Layer(str(directory / saved_settings.FILE_NAME), saved_settings.over(by_hand, saved))


def _store_directory(table: dict[str, Any]) -> Path | None:
    """Where recordings go; None where the table is not in order, which `structure` says."""
    store = table.get("store", {})
    directory = store.get("directory", StoreConfig().directory) if isinstance(store, dict) else ""
    return Path(directory) if directory and isinstance(directory, str | Path) else None


def _paired(table: dict[str, Any]) -> Iterator[Layer]:
    """The straps that are remembered and not configured in `table`, behind its sources."""
    configured, directory = table.get("source", []), _store_directory(table)
    if not isinstance(configured, list) or directory is None:
        return  # `structure` says what is wrong
    file = directory / FILE_NAME
    try:
        known = read_known(file)
    except UsageError as error:
        raise ConfigError(str(error)) from error
    by_hand = [source.get("port") for source in configured if isinstance(source, dict)]
    straps = [device for device in known if device.address not in by_hand]
    if straps:
        numbered = {str(len(configured) + k): _source(d) for k, d in enumerate(straps)}
        yield Layer(str(file), {"source": numbered})


def _source(device: KnownDevice) -> dict[str, Any]:
    source = {"name": device.name, "driver": "ble", "port": device.address, "family": device.family}
    return source | ({"serial": device.serial} if device.serial else {})


def structure(table: dict[str, Any]) -> Config:
    """A configuration from one nested table. Raises ConfigError with all problems."""
    try:
        return _converter.structure(table, Config)
    except (ClassValidationError, IterableValidationError) as error:
        raise ConfigError("\n".join(problems(error, table, Config))) from error


def explain(config: Config, layers: Sequence[Layer]) -> Iterator[tuple[str, Any, str]]:
    """(key, value, origin) of every value, in the order of the dataclasses."""
    table = _converter.unstructure(config)
    for path, value in _leaves(table, ()):
        origin = "default"
        for layer in layers:
            if _holds(layer.table, path):
                origin = layer.origin
        yield ".".join(path), value, origin


_converter: Final = make_converter()


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{file}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: cannot be read: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file}: not valid TOML: {error}") from error


def _parse_setting(text: str) -> dict[str, Any]:
    key, equals, raw = text.partition("=")
    if not equals or not key:
        raise ConfigError(f"--set {text!r}: expected KEY=VALUE, as in store.durability_s=2")
    try:
        value = tomllib.loads(f"value = {raw}")["value"]
    except tomllib.TOMLDecodeError:
        value = raw  # an unquoted string, as one types it in a shell
    table: Any = value
    for part in reversed(key.split(".")):
        table = {part: table}
    return dict(table)


def _merge(below: Any, above: Any, path: str = "") -> Any:
    """`above` over `below`. A table with numbers as keys changes single elements of a list."""
    if not isinstance(above, dict):
        return above
    if above and all(key.isdecimal() for key in above):
        return _merge_list(below if isinstance(below, list) else [], above, path)
    merged = dict(below) if isinstance(below, dict) else {}
    for key, value in above.items():
        merged[key] = _merge(merged.get(key), value, f"{path}.{key}" if path else key)
    return merged


def _merge_list(below: list[Any], above: dict[str, Any], path: str) -> list[Any]:
    merged = list(below)
    for key in sorted(above, key=int):
        position = int(key)
        if position > len(merged):
            raise ConfigError(f"{path}.{key}: no such element; the next one is {len(merged)}")
        if position == len(merged):
            merged.append({})
        merged[position] = _merge(merged[position], above[key], f"{path}.{key}")
    return merged


def _leaves(table: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(table, dict):
        for key, value in table.items():
            yield from _leaves(value, (*path, key))
    elif isinstance(table, list | tuple) and table and isinstance(table[0], dict):
        for position, value in enumerate(table):
            yield from _leaves(value, (*path, str(position)))
    else:
        yield path, table


def _holds(table: Any, path: tuple[str, ...]) -> bool:
    for part in path:
        if isinstance(table, list) and part.isdigit() and int(part) < len(table):
            table = table[int(part)]
        elif isinstance(table, dict) and part in table:
            table = table[part]
        else:
            return False
    return True
