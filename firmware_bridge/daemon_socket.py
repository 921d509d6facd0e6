"""Asking a running daemon, over the command socket in its store.directory: HTTP, JSON in and out.

The daemon is another package, above this one; what is known of it here is a socket and its words.
"""

import http.client
import json
import os
import socket
from pathlib import Path
from typing import Any, Final

from firmware_bridge.errors import LinkError

ANSWERED_WITHIN_S: Final = 10.0
FOLDER: Final = "run"
_NAME: Final = "command.sock"
_GOOD: Final = 200


class NoDaemonError(LinkError):
    """Nobody answers there."""


def ask(
    directory: Path,
    method: str,
    path: str,
    body: object = None,
    within_s: float = ANSWERED_WITHIN_S,
) -> Any:
    """The daemon's answer to one request below /api/v1, decoded.

    `directory` is its store.directory. Raises NoDaemonError when no daemon answers there, LinkError
    with its own words when it refuses.
    """
    connection = _SocketConnection(directory / FOLDER, within_s)
    try:
        text = None if body is None else json.dumps(body)
        connection.request(method, f"/api/v1{path}", text, {"Content-Type": "application/json"})
        response = connection.getresponse()
        answer = json.loads(response.read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise NoDaemonError(
            f"no daemon answers in {directory} ({error}); is it running, with web.enabled = true?"
        ) from error
    finally:
        connection.close()
    if response.status != _GOOD:
        raise LinkError(str(answer.get("error", f"refused ({response.status})")))
    return answer


def is_there(directory: Path) -> bool:
    """A daemon answers in this store.directory, and this user may ask it."""
    try:
        ask(directory, "GET", "/who")
    except LinkError:
        return False
    return True


class _SocketConnection(http.client.HTTPConnection):
    def __init__(self, folder: Path, within_s: float) -> None:
        super().__init__("localhost", timeout=within_s)
        self._folder = folder

    def connect(self) -> None:
        handle = os.open(self._folder, os.O_RDONLY)
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self.sock.settimeout(self.timeout)
            # A socket's address has room for 107 bytes; a state directory may lie deeper.
            self.sock.connect(f"/proc/self/fd/{handle}/{_NAME}")
        finally:
            os.close(handle)
