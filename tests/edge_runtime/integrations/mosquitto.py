"""A real broker (Debian's mosquitto) and somebody else's client (mosquitto_sub) for the tests."""

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.free_port import free_port


def programs() -> tuple[str, str]:
    """mosquitto and mosquitto_sub; skips where they are not installed, fails in CI."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin"
    found = [shutil.which(name, path=path) for name in ("mosquitto", "mosquitto_sub")]
    if found[0] is None or found[1] is None:
        reason = "mosquitto is not installed (.ci/debian-packages)"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return found[0], found[1]


_READY = "test/ready"


@dataclass
class Mosquitto:
    """A broker on loopback; `extra` are further lines of its configuration."""

    folder: Path
    extra: str = ""
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Until it listens."""
        program, _ = programs()
        file = self.folder / "mosquitto.conf"
        persistence = self.folder / "persistence"
        persistence.mkdir(exist_ok=True)
        anonymous = "" if "allow_anonymous" in self.extra else "allow_anonymous true\n"
        file.write_text(
            f"user root\npersistence true\npersistence_location {persistence}/\n"
            f"listener {self.port} 127.0.0.1\n{anonymous}{self.extra}\n",
            encoding="utf-8",
        )
        self.process = subprocess.Popen(
            [program, "-c", str(file)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        async with asyncio.timeout(10):
            while True:
                assert self.process.poll() is None, "mosquitto does not take its configuration"
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                        return
                await asyncio.sleep(0.02)

    def stop(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Killed, as by a power cut."""
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(10)
            self.process = None


@asynccontextmanager
async def mosquitto(folder: Path, extra: str = "") -> AsyncIterator[Mosquitto]:
    """A broker that runs."""
    broker = Mosquitto(folder, extra)
    await broker.start()
    try:
        yield broker
    finally:
        broker.stop()


@dataclass
class Heard:
    """What mosquitto_sub has heard: objects with topic, payload, retain, qos and properties."""

    messages: list[dict[str, Any]] = field(default_factory=list)
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)

    def on(self, ending: str) -> list[dict[str, Any]]:
        """The messages on topics that end so."""
        return [one for one in self.messages if one["topic"].endswith(ending)]

    def json(self, ending: str) -> list[Any]:
        """Their payloads, decoded."""
        return [json.loads(one["payload"]) for one in self.on(ending)]

    def text(self, ending: str) -> list[str]:
        """Their payloads as they are."""
        return [str(one["payload"]) for one in self.on(ending)]

    async def until(self, holds: Callable[["Heard"], bool], timeout_s: float = 20) -> None:
        """Wait for it."""
        try:
            async with asyncio.timeout(timeout_s), self._news:
                await self._news.wait_for(lambda: holds(self))
        except TimeoutError:
            topics = [(one["topic"], str(one["payload"])[:80]) for one in self.messages]
            raise AssertionError(f"not heard within {timeout_s} s; heard {topics}") from None

    async def add(self, line: bytes) -> None:
        async with self._news:
            self.messages.append(json.loads(line))
            self._news.notify_all()


@asynccontextmanager
async def listening(port: int, *options: str, topic: str = "#") -> AsyncIterator[Heard]:
    """mosquitto_sub on `topic`, subscribed when the block begins."""
    _, program = programs()
    common = ["-V", "mqttv5", "-p", str(port), "-q", "1", *options]
    marker = [f"{program.removesuffix('sub')}pub", *common, "-t", _READY, "-m", "ready", "-r"]
    await (await asyncio.create_subprocess_exec(*marker)).wait()
    arguments = [*common, "-t", topic, "-t", _READY, "-F", "%j"]
    process = await asyncio.create_subprocess_exec(
        program, *arguments, stdout=asyncio.subprocess.PIPE, limit=1 << 20
    )
    heard, subscribed = Heard(), asyncio.Event()

    async def read() -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            if json.loads(line)["topic"] == _READY:
                subscribed.set()  # it is retained, and answers to the subscription
            else:
                await heard.add(line)

    reading = asyncio.create_task(read())
    try:
        async with asyncio.timeout(10):
            await subscribed.wait()
        yield heard
    finally:
        process.kill()
        await process.wait()
        await reading
