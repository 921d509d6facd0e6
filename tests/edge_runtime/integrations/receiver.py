"""A web server that remembers what it was sent, and answers as the test wants."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Sent:
    """One request."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """`answers` are the status codes of the next requests; then 200. 0 hangs up."""

    port: int = 0
    answers: list[int] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def took(self, n: int) -> bool:
        """`n` requests have come."""
        return len(self.sent) >= n

    def take(self, one: Sent) -> int:
        with self._changed:
            self.sent.append(one)
            self._changed.notify_all()
            return self.answers.pop(0) if self.answers else 200


@contextmanager
def receiver(port: int = 0, *answers: int) -> Iterator[Receiver]:
    """Listens on loopback; on any free port where none is given."""
    one = Receiver(answers=list(answers))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("content-length", 0))
            body = self.rfile.read(length)
            status = one.take(Sent(self.command, self.path, dict(self.headers), body))
            if not status:
                self.close_connection = True
                return
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

        do_GET = do_POST  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    one.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield one
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
