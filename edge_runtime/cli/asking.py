"""Asking the running daemon, over its command socket: the same API that the page uses."""

import http.client
import json
import os
import socket
from pathlib import Path
from typing import Any, Final

from edge_runtime.errors import EdgeRuntimeError, StoreInUseError

_ANSWERED_WITHIN_S: Final = 60.0
"""A long session takes seconds to delete, on a slow card more."""
_GOOD: Final = 200
SOCKET_FOLDER: Final = "run"


def ask(directory: Path, method: str, path: str, body: object = None) -> Any:
    """The daemon's answer to one request below /api/v1, decoded.

    `directory` is its store.directory. Raises EdgeRuntimeError when no daemon answers there, or
    when it refuses.
    """
    connection = _SocketConnection(directory / SOCKET_FOLDER)
    try:
        text = None if body is None else json.dumps(body)
        connection.request(method, f"/api/v1{path}", text, {"Content-Type": "application/json"})
        response = connection.getresponse()
        answer = json.loads(response.read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise EdgeRuntimeError(
            f"no daemon answers in {directory} ({error}); is it running, with web.enabled = true?"
        ) from error
    finally:
        connection.close()
    if response.status != _GOOD:
        raise EdgeRuntimeError(str(answer.get("error", f"refused ({response.status})")))
    return answer


def ask_where_in_use(
    in_use: StoreInUseError, directory: Path, method: str, path: str, body: object = None
) -> Any:
    """The answer of the daemon that has the store. Raises EdgeRuntimeError when it has no ear or
    refuses; then with both reasons."""
    if not (directory / SOCKET_FOLDER).is_dir():
        raise EdgeRuntimeError(f"{in_use}; or let it listen, with web.enabled = true") from in_use
    return ask(directory, method, path, body)


class _SocketConnection(http.client.HTTPConnection):
    def __init__(self, folder: Path) -> None:
        super().__init__("localhost", timeout=_ANSWERED_WITHIN_S)
        self._folder = folder

    def connect(self) -> None:
        handle = os.open(self._folder, os.O_RDONLY)
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self.sock.settimeout(self.timeout)
            # A socket's address has room for 107 bytes; a state directory may lie deeper.
            self.sock.connect(f"/proc/self/fd/{handle}/command.sock")
        finally:
            os.close(handle)
