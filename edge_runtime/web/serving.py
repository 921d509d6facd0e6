"""uvicorn inside the daemon's loop: without its signal handlers, and with an end to patience."""

import asyncio
import os
import socket
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from edge_runtime.errors import ConfigError

MOST_CONNECTIONS: Final = 128
"""Each is a file descriptor: the daemon must always have some left for a sensor and the store."""
SOCKET_FOLDER: Final = "run"
SOCKET_NAME: Final = "command.sock"
_REQUEST_WITHIN_S: Final = 10.0
_KEEP_ALIVE_S: Final = 5
_STOP_WITHIN_S: Final = 1
_BACKLOG: Final = 128


class _ImpatientProtocol(H11Protocol):
    """Lets go of a connection that asks nothing, and of the oldest idle one when there are too
    many. (uvicorn's own limit would answer 503 to everybody instead.)"""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._late = asyncio.get_running_loop().call_later(_REQUEST_WITHIN_S, self._give_up)
        if len(self.connections) > MOST_CONNECTIONS:
            idle = [one for one in self.connections if getattr(one, "is_idle", False)]
            # A timer's time is that of the connection: the oldest is due first.
            min(idle, key=lambda one: one._late.when()).transport.abort()  # type: ignore[union-attr]

    def connection_lost(self, exc: Exception | None) -> None:
        self._late.cancel()
        super().connection_lost(exc)

    @property
    def is_idle(self) -> bool:
        """No request of it is being answered."""
        return self.cycle is None or self.cycle.response_complete

    def _give_up(self) -> None:
        if self.cycle is None:
            self.transport.abort()


class _Server(uvicorn.Server):
    """Signals belong to the daemon."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Captures none."""
        yield


async def serve(
    app: ASGIApp,
    listening: socket.socket,
    stopping: Callable[[], None],
    certificate: tuple[Path, Path] | None = None,
) -> None:
    """Serve `app` until cancelled; then, after `stopping`, open answers get a second to end.

    `certificate`: files of a certificate and its key, for HTTPS. Raises ConfigError when these are
    of no use.
    """
    config = uvicorn.Config(
        app,
        http=_ImpatientProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="error",  # what a stranger sends is no news; it would fill the log
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_STOP_WITHIN_S,
        **_tls(certificate),
    )
    try:
        config.load()
    except OSError as error:  # ssl.SSLError is one
        raise ConfigError(f"web.certificate, web.key: cannot be used: {error}") from error
    server = _Server(config)
    serving = asyncio.create_task(server.serve([listening]))
    try:
        await asyncio.shield(serving)
    except asyncio.CancelledError:
        stopping()
        server.should_exit = True
        await serving
        raise
    finally:
        listening.close()


def listen(host: str, port: int) -> socket.socket:
    """A listening TCP socket. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=_BACKLOG)


def listen_locally(directory: Path) -> socket.socket:
    """The command socket, in a folder that is its owner's alone. Raises OSError."""
    folder = directory / SOCKET_FOLDER
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    with suppress(FileNotFoundError):
        (folder / SOCKET_NAME).unlink()  # of a daemon that was killed; the store's lock is ours
    handle = os.open(folder, os.O_RDONLY)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # A socket's address has room for 107 bytes; a state directory may lie deeper.
        listening.bind(f"/proc/self/fd/{handle}/{SOCKET_NAME}")
        listening.listen(_BACKLOG)
    except OSError:
        listening.close()
        raise
    finally:
        os.close(handle)
    return listening


def _tls(certificate: tuple[Path, Path] | None) -> dict[str, Any]:
    if certificate is None:
        return {}
    return {"ssl_certfile": str(certificate[0]), "ssl_keyfile": str(certificate[1])}
