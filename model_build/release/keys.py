"""Signing keys as encrypted files: made, found again and opened.

A key is one PEM file (PKCS#8, Ed25519, encrypted with a passphrase), `NAME.pem`, as in
`root-2.pem` or `targets-1.pem`: the role it was made for, and a number that is never used twice.
The folders it may lie in are the person's: a root key belongs on a medium of its own.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from securesystemslib.signer import CryptoSigner

from model_build.errors import KeyFileError

NAME_FIELD: Final = "x-name"
"""Field of a key in the root metadata: the name of its file, without ending."""
_SHORTEST_PASSPHRASE: Final = 8


class KeyFolders:
    """The folders that are at hand now, and the passphrase of the keys in them."""

    def __init__(self, folders: Sequence[Path], passphrase: str) -> None:
        if len(passphrase) < _SHORTEST_PASSPHRASE:
            raise KeyFileError(f"a passphrase has {_SHORTEST_PASSPHRASE} characters or more")
        self._folders = tuple(folders)
        self._passphrase = passphrase.encode()

    def make(self, name: str) -> CryptoSigner:
        """A new key in the first folder. Raises KeyFileError; an old key is never overwritten."""
        key = Ed25519PrivateKey.generate()
        signer = CryptoSigner(key)
        signer.public_key.unrecognized_fields[NAME_FIELD] = name
        text = key.private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(self._passphrase)
        )
        file = self._folders[0] / f"{name}.pem"
        try:
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with file.open("xb") as out:
                file.chmod(0o600)
                out.write(text)
        except FileExistsError as error:
            raise KeyFileError(f"{file} exists; keys are never overwritten") from error
        except OSError as error:
            raise KeyFileError(f"{file}: cannot be written: {error.strerror}") from error
        return signer

    def open(self, name: str) -> CryptoSigner | None:
        """The key of that name; None where no folder at hand has it. Raises KeyFileError."""
        for folder in self._folders:
            file = folder / f"{name}.pem"
            if file.is_file():
                return self._open(file, name)
        return None

    def _open(self, file: Path, name: str) -> CryptoSigner:
        try:
            key = load_pem_private_key(file.read_bytes(), self._passphrase)
        except TypeError as error:
            raise KeyFileError(f"{file} is not encrypted; do not use it any more") from error
        except ValueError as error:
            raise KeyFileError(f"{file}: wrong passphrase, or no key") from error
        except OSError as error:
            raise KeyFileError(f"{file}: cannot be read: {error.strerror}") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise KeyFileError(f"{file} is no Ed25519 key")
        signer = CryptoSigner(key)
        signer.public_key.unrecognized_fields[NAME_FIELD] = name
        return signer
