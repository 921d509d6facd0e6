"""What a person can set of the integrations. Secrets lie in files of their own, so that the
configuration can be shown."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

from edge_runtime.errors import ConfigError
from edge_runtime.rules.bounds import bounded, check_bounds

LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_NAME: Final = re.compile(r"[\w-]{1,64}", re.ASCII)
_QUIET: Final = re.compile(r"([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d")


@dataclass(frozen=True, slots=True)
class MqttConfig:
    """MQTT 5, publishing only (extra `mqtt`). `name` tells this machine from
    others at the same broker (empty: its host name); `topic` is what all topics begin with. `tls`
    checks the broker against `ca` (none: the system's authorities); `certificate` and `key` are
    this client's own. Without TLS a broker on another machine is refused, unless `unencrypted` says
    that you know. `discovery` is the topic prefix where Home Assistant looks (empty: nothing is
    announced). `live_every_s`: between two live values; they expire after three of that. Events
    that cannot be delivered wait `spool_days`, at most `spool_mb` for each source."""

    enabled: bool = False
    host: str = "localhost"
    port: int = bounded(8883, 1, 65_535)
    name: str = ""
    topic: str = "ecg-edge"
    tls: bool = True
    unencrypted: bool = False
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    username: str | None = None
    password_file: Path | None = None
    discovery: str = "homeassistant"
    live_every_s: float = bounded(5.0, 1.0, 60.0)
    spool_days: float = bounded(7.0, 0.1, 30.0)
    spool_mb: float = bounded(64.0, 0.1, 1024.0)

    def __post_init__(self) -> None:
        check_bounds(self)
        if not self.host:
            raise ValueError("host is empty")
        if not self.topic or set(self.topic) & set("+#\0"):
            raise ValueError(f"topic {self.topic!r} cannot be a beginning of topics")
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key belong together")
        if self.password_file is not None and self.username is None:
            raise ValueError("a password needs a username")
        if not self.tls and not self.unencrypted and self.host not in LOOPBACK:
            raise ValueError(
                f"without tls everybody between here and {self.host} reads the wearer's heart and "
                "the password; use tls, or say unencrypted = true"
            )


@dataclass(frozen=True, slots=True)
class WebhookConfig:
    """Events as signed HTTP POSTs (extra `webhooks`). `secret_file` holds the shared secret, as
    `whsec_` and base64. Beyond loopback it takes HTTPS, checked against `ca` (none: the usual
    authorities). `events`: alarms and what is done to them, or all that happens but beats. Events
    that cannot be delivered wait `spool_days`, at most `spool_mb`."""

    name: str
    url: str
    secret_file: Path
    events: Literal["alarms", "all"] = "alarms"
    ca: Path | None = None
    spool_days: float = bounded(7.0, 0.1, 30.0)
    spool_mb: float = bounded(16.0, 0.1, 1024.0)

    def __post_init__(self) -> None:
        check_bounds(self)
        _check_name(self.name)
        _check_url(self.url)


@dataclass(frozen=True, slots=True)
class HeartbeatConfig:
    """A sign of life to another machine, which tells people when it stays out (extra `webhooks`):
    `url` is asked for `every_s`; with `monitoring` only while every source sends a signal. Empty:
    none. Such an address is often a secret: then it is the first line of `url_file`."""

    url: str = ""
    url_file: Path | None = None
    every_s: float = bounded(60.0, 10.0, 3600.0)
    monitoring: bool = True

    def __post_init__(self) -> None:
        check_bounds(self)
        if self.url and self.url_file is not None:
            raise ValueError("url and url_file say the same thing; give one")
        if self.url:
            _check_url(self.url)

    @property
    def enabled(self) -> bool:
        """There is an address."""
        return bool(self.url) or self.url_file is not None


@dataclass(frozen=True, slots=True)
class PhoneConfig:
    """Notifications through apprise (extra `phone`). `url_file` holds apprise's addresses, one a
    line; they are secrets. `high`, `medium`, `low` (physiological alarms) and `technical` choose
    what is told; `when`: as an alarm is raised, or once nobody has acknowledged it in time.
    `quiet`: as "22:00-07:00" in local time, when only alarms of high priority are told. The text
    names the device and `page`; with `values` also the alarm and why, with `strip` a picture of the
    ECG follows. Both then lie with the service that carries them."""

    name: str
    url_file: Path
    high: bool = True
    medium: bool = False
    low: bool = False
    technical: bool = False
    when: Literal["raised", "escalated"] = "raised"
    quiet: str = ""
    page: str = ""
    values: bool = False
    strip: bool = False

    def __post_init__(self) -> None:
        _check_name(self.name)
        if self.quiet and _QUIET.fullmatch(self.quiet) is None:
            raise ValueError(f'quiet {self.quiet!r} is not of the form "22:00-07:00"')


@dataclass(frozen=True, slots=True)
class LslConfig:
    """Lab Streaming Layer outlets of every source's ECG and events (extra `lsl`). LSL knows neither
    encryption nor login: whoever is in the network reads them."""

    enabled: bool = False


def _check_name(name: str) -> None:
    if _NAME.fullmatch(name) is None:
        raise ValueError(f"name {name!r}: up to 64 letters, digits, _ and -")


def _check_url(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"{url!r} is no address of the web")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise ValueError(f"{parts.hostname} is another machine: use https")


def secret_of(file: Path) -> str:
    """The first line of a file that holds a secret. Raises ConfigError, without the secret."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: cannot be read: {error}") from error
    if not lines or not lines[0].strip():
        raise ConfigError(f"{file}: holds nothing in its first line")
    return lines[0].strip()
