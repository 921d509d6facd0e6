"""One notification, sent by apprise: `python -m edge_runtime.integrations.notification`.

A program of its own: apprise and its hundred services cost 44 MB and some seconds, and what hangs
can be ended. It reads one JSON object from standard input (addresses are secrets, and a command
line is not): `urls`, `title`, `body`, and perhaps `attach`, a file. Exit status: 0 sent, 1 not sent
by at least one, 2 an address is not understood.
"""

import asyncio
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

SENT_WITHIN_S: Final = 45.0
SENT: Final = 0
FAILED: Final = 1
NOT_UNDERSTOOD: Final = 2
_WORDS: Final = {
    FAILED: "the service did not take it",
    NOT_UNDERSTOOD: "an address is none that apprise understands",
}


@dataclass(frozen=True, slots=True)
class Notification:
    """What is sent. `attach` is a file's path."""

    title: str
    body: str
    attach: str | None = None


async def send(urls: list[str], notification: Notification) -> str:
    """Send by the program above; what is wrong, if anything. Ends it when cancelled."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "edge_runtime.integrations.notification"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,  # what apprise says may hold an address
    )
    order = json.dumps({"urls": urls, **asdict(notification)}).encode()
    try:
        async with asyncio.timeout(SENT_WITHIN_S):
            await process.communicate(order)
    except TimeoutError:
        return f"not sent within {SENT_WITHIN_S:.0f} s"
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    status = process.returncode
    return "" if status == SENT else _WORDS.get(status or FAILED, "apprise failed")


def addresses(file: Path) -> list[str]:
    """apprise's addresses, one a line; lines that begin with # are remarks. Raises OSError."""
    lines = [line.strip() for line in file.read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def _send(order: dict[str, Any]) -> int:
    import apprise  # noqa: PLC0415 - an extra, and never in the daemon

    asset = apprise.AppriseAsset(app_id="ecg-edge", app_desc="ecg-edge", app_url="")
    service = apprise.Apprise(asset=asset)
    if not all(service.add(url) for url in order["urls"]) or not order["urls"]:
        return NOT_UNDERSTOOD
    sent = service.notify(title=order["title"], body=order["body"], attach=order["attach"])
    return SENT if sent else FAILED


if __name__ == "__main__":
    sys.exit(_send(json.load(sys.stdin)))
