"""Images and keys made by imgtool itself, in this process: the witness for what we parse."""

from dataclasses import dataclass
from pathlib import Path

from imgtool.main import imgtool

HEADER_BYTES = 0x20
BOARD = "ecg_board"
KEY_TYPES = ("ed25519", "ecdsa-p256", "ecdsa-p384", "rsa-2048", "rsa-3072")


def run_imgtool(*arguments: str | Path) -> int:
    """Exit status of imgtool's own command line."""
    try:
        code = imgtool.main([str(a) for a in arguments], standalone_mode=False)
    except SystemExit as error:
        return int(error.code or 0)
    return int(code or 0)


@dataclass(frozen=True)
class KeyPair:
    private: Path
    public: Path


def make_key(folder: Path, name: str = "site", kind: str = "ed25519") -> KeyPair:
    """A private key, and its public half in a folder of its own."""
    private = folder / f"{name}-private.pem"
    public = folder / "keys" / f"{name}.pem"
    public.parent.mkdir(exist_ok=True)
    assert run_imgtool("keygen", "-k", private, "-t", kind) == 0
    assert run_imgtool("getpub", "-k", private, "--encoding", "pem", "-o", public) == 0
    return KeyPair(private, public)


def sign(
    folder: Path,
    body: bytes,
    key: KeyPair | None,
    *options: str,
    version: str = "1.2.3+4",
    board: str | None = BOARD,
    slot_bytes: int = 0x40000,
) -> Path:
    """A signed image of `body`."""
    unsigned = folder / f"{version}.bin"
    unsigned.write_bytes(body)
    signed = folder / f"{version}.signed.bin"
    arguments: list[str | Path] = ["sign", "-v", version, "-H", str(HEADER_BYTES), "--pad-header"]
    arguments += ["-S", str(slot_bytes), "--align", "4", *options]
    if board is not None:
        arguments += ["--custom-tlv", "0xa0", board]
    if key is not None:
        arguments += ["-k", key.private]
    assert run_imgtool(*arguments, unsigned, signed) == 0
    return signed
