"""Where the passkey of a bond comes from: a person at the terminal, a file, or nowhere."""

# ruff: noqa: D102 - the methods' contract is written once, at `Person`.

import asyncio
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol, TypeVar

import click

from firmware_bridge.errors import UsageError

_Answer = TypeVar("_Answer")
_LARGEST: Final = 999_999


class Person(Protocol):
    """Who is asked while devices bond. `capability`: what BlueZ calls it."""

    capability: str

    async def passkey(self) -> int | None:
        """The number that the device shows or bears; None to give up."""
        ...

    async def confirm(self, number: int) -> bool:
        """Whether the device shows this number, too."""
        ...

    def show(self, number: int) -> None:
        """A number to be typed on the device."""
        ...


class Terminal:
    """Asks on the terminal."""

    capability = "KeyboardDisplay"

    async def passkey(self) -> int | None:
        words = "passkey, as the sensor shows it or as it is printed on it"
        return await _asked(lambda: click.prompt(words, type=click.IntRange(0, _LARGEST), err=True))

    async def confirm(self, number: int) -> bool:
        same = await _asked(lambda: click.confirm(f"does it show {number:06}?", err=True))
        return bool(same)

    def show(self, number: int) -> None:
        click.echo(f"type {number:06} on it", err=True)


class Known:
    """Says a number that is known before, and nothing else."""

    capability = "KeyboardOnly"

    def __init__(self, number: int) -> None:
        self._number = number

    async def passkey(self) -> int | None:
        return self._number

    async def confirm(self, number: int) -> bool:
        return False  # nobody sees what the device shows

    def show(self, number: int) -> None:
        pass


class Nobody:
    """There is nobody to ask: only devices that ask nothing can bond."""

    capability = "NoInputNoOutput"

    async def passkey(self) -> int | None:
        return None

    async def confirm(self, number: int) -> bool:
        return False

    def show(self, number: int) -> None:
        pass


def person(passkey_file: Path | None) -> Person:
    """Who is asked. Raises UsageError for a file that holds no passkey."""
    if passkey_file is not None:
        return Known(_number_in(passkey_file))
    return Terminal() if sys.stdin.isatty() else Nobody()


def asked(who: Person) -> int | None:
    """The passkey, where it is told before anything is bonded."""
    return asyncio.run(who.passkey())


def _number_in(file: Path) -> int:
    try:
        text = file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file}: the passkey cannot be read ({error})") from error
    if not text.isdigit() or int(text) > _LARGEST:
        raise UsageError(f"{file}: a passkey is a number of up to six digits")
    return int(text)


async def _asked(question: Callable[[], _Answer]) -> _Answer | None:
    """The answer, asked in a thread that nobody waits for when the device has given up; None when
    the person has."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[_Answer | None] = loop.create_future()

    def tell(given: _Answer | None) -> None:
        if not answer.done():
            answer.set_result(given)

    def ask() -> None:
        try:
            given: _Answer | None = question()
        except click.Abort:
            given = None
        loop.call_soon_threadsafe(tell, given)

    threading.Thread(target=ask, daemon=True).start()
    return await answer
