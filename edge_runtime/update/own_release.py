"""The daemon's own releases: fetched and checked by root's service, started by root's tool.

Code is root's and is written by nobody else. The daemon neither fetches it nor can change it; what
it trusts of a repository lies in a folder of root's as well. `ecg-edge-release add` unpacks the
package beside the present release and points `current` at it; the launcher gives it three tries.
"""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from edge_runtime.config import Config
from edge_runtime.errors import ConfigError, UpdateError
from edge_runtime.store.disk import make_directory
from edge_runtime.update.catalogue import OfferedPackage, is_newer
from edge_runtime.update.clock_trust import is_synchronized
from edge_runtime.update.repository import Repository
from edge_runtime.update.root import read_root
from firmware_bridge import daemon_socket
from firmware_bridge.errors import LinkError

TOOL: Final = "ecg-edge-release"
_RELEASES: Final = Path("/var/lib/ecg-edge")
_ANSWERED_WITHIN_S: Final = 10.0
_ROOM: Final = 6
"""Times the package: itself, what it unpacks to, and something for the disk."""


class OwnRelease:
    """One run of `edge-runtime update --release`.

    Args:
        say: told what is found and done, a line each.
        synchronized: whether this machine's clock is.
    """

    def __init__(
        self,
        config: Config,
        say: Callable[[str], None],
        synchronized: Callable[[], bool] = is_synchronized,
    ) -> None:
        self._config, self._say, self._synchronized = config, say, synchronized
        self._folder = Path(os.environ.get("ECG_EDGE_RELEASES", _RELEASES))

    def run(self, *, only_plan: bool, now: bool) -> dict[str, Any]:
        """What was found and, unless `only_plan`, done. Raises this project's errors."""
        present, suite, architecture = self._present()
        work = self._folder / "update"
        repository_url = self._config.update.repository
        assert repository_url is not None, "the caller has looked"
        repository = Repository(
            repository_url,
            read_root(self._config.update.root),
            work / "trust",
            synchronized=self._synchronized,
        )
        found = repository.refresh().newest_package(suite, architecture)
        newer = found is not None and is_newer(found.offer.version, present.partition("+")[0])
        offered = "nothing that fits" if found is None else found.offer.release
        self._say(
            f"release   {present}, offered {offered}: {'to be fetched' if newer else 'up to date'}"
        )
        answer: dict[str, Any] = {
            "present": present,
            "offered": None if found is None else found.offer.release,
            "newer": newer,
            "started": False,
        }
        if only_plan or found is None or not newer:
            return answer
        why = "" if now else self._why_not_now()
        if why:
            self._say(f"not now: {why}")
            return answer | {"waits": why}
        self._start(repository, found, work)
        return answer | {"started": True}

    def _present(self) -> tuple[str, str, str]:
        """Name of the release in force, its suite, this machine's architecture."""
        current = self._folder / "current"
        if not current.is_symlink() or shutil.which("dpkg") is None:
            raise ConfigError(
                f"{current} is not there: only the Debian package's releases are updated like "
                "this; elsewhere pip does it"
            )
        name = current.resolve().name
        done = subprocess.run(
            ["dpkg", "--print-architecture"], capture_output=True, text=True, check=True
        )
        return name, name.partition("+")[2], done.stdout.strip()

    def _why_not_now(self) -> str:
        """Why the daemon must not be started anew at this moment; empty: it may."""
        directory = self._config.store.directory
        try:
            told = daemon_socket.ask(directory, "GET", "/alarms", None, _ANSWERED_WITHIN_S)
        except LinkError as error:
            return f"whether an alarm is on cannot be asked ({error}); --now does it all the same"
        on = [
            one["alarm"]["text"]
            for one in told["alarms"]
            if one["active"] and one["alarm"]["kind"] == "physiological"
        ]
        return f"an alarm is on: {on[0]}" if on else ""

    def _start(self, repository: Repository, found: OfferedPackage, work: Path) -> None:
        size = repository.size_bytes(found.path)
        free = shutil.disk_usage(self._folder).free
        if free < _ROOM * size:
            raise UpdateError(
                f"{self._folder} has {free >> 20} MiB free, the release needs "
                f"{_ROOM * size >> 20}; free space first"
            )
        make_directory(work)
        package = work / found.path.rpartition("/")[2]
        for other in work.glob("*.deb"):
            if other != package:
                other.unlink()
        repository.fetch(found.path, package)
        self._say(f"fetched {package.name}, as it was signed")
        done = subprocess.run([TOOL, "add", package], capture_output=True, text=True, check=False)
        if done.returncode:
            raise UpdateError(f"{found.offer.release} was not started: {done.stderr.strip()}")
        package.unlink()
        before = (self._folder / "previous").resolve().name
        self._say(f"{found.offer.release} runs; {before} is kept to fall back to")
