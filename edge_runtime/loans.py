"""Sources that are lent: let go of for a while, for another program to use the device."""

from typing import Protocol


class Lender(Protocol):
    """Whoever follows the sources; see `followers.Followers`."""

    async def lend(self, name: str, for_s: float) -> bool:
        """Let go of a source; False where it is not followed."""
        ...

    def give_back(self, name: str) -> None:
        """Follow it again."""
        ...


class Loans:
    """Made before anything is followed; `connect` when it is."""

    def __init__(self) -> None:
        self._lender: Lender | None = None

    def connect(self, lender: Lender) -> None:
        """From now on sources can be lent."""
        self._lender = lender

    async def lend(self, name: str, for_s: float) -> bool:
        """End the session of this source, and follow it again after at most `for_s`. False where
        it is not followed."""
        return self._lender is not None and await self._lender.lend(name, for_s)

    def give_back(self, name: str) -> None:
        """Follow it again; nothing where it is not lent."""
        if self._lender is not None:
            self._lender.give_back(name)
