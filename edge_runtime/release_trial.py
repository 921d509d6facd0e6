"""Telling the launcher how a release does, where there is one.

The launcher of the Debian package (deploy/debian/launch) counts how often a new release was tried,
and gives way to the release before it. It must not import a release to find out, so the release
tells: two small files in a folder that the launcher names.
"""

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from firmware_bridge.errors import RecordError
from firmware_bridge.records.writing import replace_file

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ReleaseTrial:
    """The release `name` is on trial in `folder`; without a folder nobody counts."""

    name: str = ""
    folder: Path | None = None

    @classmethod
    def of_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """As the launcher says it."""
        name, folder = environment.get("ECG_EDGE_RELEASE"), environment.get("ECG_EDGE_TRIAL")
        return cls(name, Path(folder)) if name and folder else cls()

    def sound(self) -> None:
        """It has run for long enough: it is counted no more."""
        if self.folder is None:
            return
        try:
            replace_file(self.folder / "sound", f"{self.name}\n".encode(), sync=True)
        except RecordError as error:
            log.error("%s", error)
            return
        self.ended()

    def ended(self) -> None:
        """It ended as it was told to, or has to be mended by a person: no fault of the release."""
        if self.folder is None:
            return
        try:
            (self.folder / "tries").unlink(missing_ok=True)
        except OSError as error:
            log.error("%s: %s", error.filename, error.strerror)
