"""Asking the running daemon, over its command socket: the same API that the page uses."""

from pathlib import Path
from typing import Any, Final

from edge_runtime.errors import EdgeRuntimeError, StoreInUseError
from firmware_bridge import daemon_socket
from firmware_bridge.errors import LinkError

_ANSWERED_WITHIN_S: Final = 60.0
"""A long session takes seconds to delete, on a slow card more."""
SOCKET_FOLDER: Final = daemon_socket.FOLDER


def ask(directory: Path, method: str, path: str, body: object = None) -> Any:
    """The daemon's answer to one request below /api/v1, decoded.

    `directory` is its store.directory. Raises EdgeRuntimeError when no daemon answers there, or
    when it refuses.
    """
    try:
        return daemon_socket.ask(directory, method, path, body, _ANSWERED_WITHIN_S)
    except LinkError as error:
        raise EdgeRuntimeError(str(error)) from error


def ask_where_in_use(
    in_use: StoreInUseError, directory: Path, method: str, path: str, body: object = None
) -> Any:
    """The answer of the daemon that has the store. Raises EdgeRuntimeError when it has no ear or
    refuses; then with both reasons."""
    if not (directory / SOCKET_FOLDER).is_dir():
        raise EdgeRuntimeError(f"{in_use}; or let it listen, with web.enabled = true") from in_use
    return ask(directory, method, path, body)
