"""Who may change what: names with a role, each with a password or a token.

A file of the state directory that nobody else may read. It holds argon2 hashes of passwords and
SHA-256 of tokens, never one of either itself; a token is 256 bits of chance, so that needs no salt.
"""

import hashlib
import os
import secrets
from pathlib import Path
from typing import Final

import msgspec
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from edge_runtime.errors import ConfigError
from edge_runtime.web.roles import ROLES

FILE_NAME: Final = "accounts.json"
SHORTEST_PASSWORD: Final = 10


_hasher: Final = PasswordHasher(time_cost=3, memory_cost=16 * 1024, parallelism=1)
"""16 MiB: a Pi has the memory, and an attacker's card has it 32 times less often than 512 kB."""
_NOBODY: Final = _hasher.hash(secrets.token_hex(16))
"""Checked for a name that does not exist: the answer takes as long as for one that does."""


class Account(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A person or a program. `password` is an argon2 hash, `token` a SHA-256 in hex."""

    name: str
    role: str
    password: str | None = None
    token: str | None = None


class Accounts:
    """The accounts of one state directory; the file is read anew each time: it is small, and a
    removed account is gone at once. Raises ConfigError for a file that cannot be read."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / FILE_NAME

    def listed(self) -> list[Account]:
        """All, in order of their making."""
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=list[Account])
        except FileNotFoundError:
            return []
        except (OSError, msgspec.DecodeError) as error:
            raise ConfigError(f"{self._file}: cannot be read: {error}") from error

    def set_password(self, name: str, role: str, password: str) -> None:
        """A new account, or another password and role for one. Raises ConfigError."""
        if len(password) < SHORTEST_PASSWORD:
            raise ConfigError(f"a password needs {SHORTEST_PASSWORD} characters or more")
        self._put(Account(name=name, role=role, password=_hasher.hash(password)))

    def invite(self, name: str, role: str) -> None:
        """A new account that comes in by codes alone. Raises ConfigError."""
        if not name.strip():
            raise ConfigError("a name is empty")
        self._put(Account(name=name, role=role))

    def make_token(self, name: str, role: str) -> str:
        """A token for a program, told only now."""
        token = secrets.token_urlsafe(32)
        self._put(Account(name=name, role=role, token=_digest(token)))
        return token

    def remove(self, name: str) -> bool:
        """Whether there was one to remove."""
        kept = [account for account in self.listed() if account.name != name]
        there_was_one = len(kept) < len(self.listed())
        if there_was_one:
            self._write(kept)
        return there_was_one

    def by_password(self, name: str, password: str) -> Account | None:
        """The account, if the password is its own. Takes a tenth of a second: not on the loop."""
        found = next((a for a in self.listed() if a.name == name and a.password), None)
        wanted = found.password if found and found.password else _NOBODY
        try:
            _hasher.verify(wanted, password)
        except (VerificationError, InvalidHashError):
            return None
        return found

    def by_token(self, token: str) -> Account | None:
        """The account whose token this is."""
        digest = _digest(token)
        for account in self.listed():
            if account.token and secrets.compare_digest(account.token, digest):
                return account
        return None

    def named(self, name: str) -> Account | None:
        """The account of this name, while it exists."""
        return next((account for account in self.listed() if account.name == name), None)

    def _put(self, account: Account) -> None:
        if account.role not in ROLES:
            raise ConfigError(f"no role {account.role!r}; there are {', '.join(ROLES)}")
        others = [one for one in self.listed() if one.name != account.name]
        self._write([*others, account])

    def _write(self, accounts: list[Account]) -> None:
        beside = self._file.with_name(f"{FILE_NAME}.part")
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "wb") as out:
                out.write(msgspec.json.format(msgspec.json.encode(accounts)))
                out.flush()
                os.fsync(out.fileno())
            beside.replace(self._file)
        except OSError as error:
            raise ConfigError(f"{self._file}: cannot be written ({error.strerror})") from error


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
