"""What a person can set of the integrations. Secrets lie in files of their own, so that the
configuration can be shown."""

from dataclasses import dataclass
from pathlib import Path

from edge_runtime.errors import ConfigError
from edge_runtime.rules.bounds import bounded, check_bounds

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


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


def secret_of(file: Path) -> str:
    """The first line of a file that holds a secret. Raises ConfigError, without the secret."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: cannot be read: {error}") from error
    if not lines or not lines[0].strip():
        raise ConfigError(f"{file}: holds nothing in its first line")
    return lines[0].strip()
