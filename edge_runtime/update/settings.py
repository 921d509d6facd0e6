"""What a person sets about updates."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from edge_runtime.integrations.settings import LOOPBACK
from edge_runtime.rules.bounds import bounded, check_bounds


@dataclass(frozen=True, slots=True)
class UpdateConfig:
    """Where `edge-runtime update` finds models and firmware (docs/updates.md). `repository`: https://
    or, for a folder or a stick, file:///. `root`: the keys that this device trusts, a file of the
    administrator's. A new set is on trial for `trial_minutes` of signal before it is kept."""

    repository: str | None = None
    root: Path = Path("/etc/edge-runtime/update-root.json")
    trial_minutes: float = bounded(15.0, 1.0, 1440.0)

    def __post_init__(self) -> None:
        check_bounds(self)
        if self.repository is not None and not _can_be_fetched(self.repository):
            raise ValueError(f"{self.repository!r} is neither https://... nor file:///...")


def _can_be_fetched(url: str) -> bool:
    """HTTPS, a folder, or plain HTTP of this machine: signatures would do without, but plain HTTP
    shows everybody which models and sensors a device has."""
    parts = urlsplit(url)
    if parts.scheme == "file":
        return parts.netloc in {"", "localhost"}
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
