"""A service manager's end of sd_notify(3)."""

import select
import socket
from pathlib import Path
from types import TracebackType
from typing import Self


class ServiceManager:
    """Listens on a socket in `folder`; `address` belongs into NOTIFY_SOCKET."""

    def __init__(self, folder: Path) -> None:
        self.address = str(folder / "notify")
        self._channel = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._channel.bind(self.address)
        self._channel.setblocking(False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._channel.close()

    def heard(self) -> list[str]:
        """What was said since the last call."""
        said: list[str] = []
        while True:
            try:
                said.append(self._channel.recv(1000).decode())
            except BlockingIOError:
                return said

    def wait_for(self, word: str, within_s: float = 10.0) -> None:
        """Until a message begins with `word`; those before it are forgotten."""
        while select.select([self._channel], [], [], within_s)[0]:
            if self._channel.recv(1000).decode().startswith(word):
                return
        raise AssertionError(f"no {word} within {within_s} s")

    def is_silent_for(self, seconds: float) -> bool:
        """Nothing more is said."""
        self.heard()
        return not select.select([self._channel], [], [], seconds)[0]
