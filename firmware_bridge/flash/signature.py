"""Was an image signed with one of the site's keys? Signatures as imgtool 2 makes them.

Ed25519 over the hash (or, "pure", over the content), ECDSA P-256 and P-384, RSA-PSS 2048 and 3072.
Keys are public ones in PEM (`imgtool getpub --encoding pem`): a host in the field has no business
with the private half.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)

from firmware_bridge.errors import UsageError
from firmware_bridge.flash.errors import SignatureError
from firmware_bridge.flash.image import KEY_HASH, Image

PublicKey = Ed25519PublicKey | ec.EllipticCurvePublicKey | RSAPublicKey

_ED25519: Final = 0x24
_ECDSA: Final = 0x22
_RSA: Final = {2048: 0x20, 3072: 0x23}
_PURE: Final = 0x25
_PSS_SALT_BYTES: Final = 32
_CURVES: Final = {"secp256r1": hashes.SHA256(), "secp384r1": hashes.SHA384()}


@dataclass(frozen=True, slots=True)
class SiteKey:
    """A public key that this site trusts. `name` is its file's."""

    name: str
    key: PublicKey

    @property
    def fingerprint(self) -> bytes:
        """SHA-256 of the key as MCUboot writes it into an image (KEYHASH)."""
        form = PublicFormat.SubjectPublicKeyInfo
        if isinstance(self.key, RSAPublicKey):
            form = PublicFormat.PKCS1
        return hashlib.sha256(self.key.public_bytes(Encoding.DER, form)).digest()


def load_keys(paths: Iterable[Path]) -> tuple[SiteKey, ...]:
    """Keys of all `paths`: PEM files, or folders of them (`*.pem`). Raises UsageError."""
    files = [
        file
        for path in paths
        for file in (sorted(path.glob("*.pem")) if path.is_dir() else (path,))
    ]
    return tuple(map(_load, files))


def signer(image: Image, keys: Iterable[SiteKey]) -> SiteKey:
    """The site's key that signed `image`. Raises SignatureError."""
    known = tuple(keys)
    for key in known:
        if _is_signed_by(image, key.key):
            return key
    if not known:
        raise SignatureError(
            "there is no key to check the signature with; give --keys, a PEM file or a folder"
        )
    raise SignatureError(_why_nobody(image, known))


def _load(file: Path) -> SiteKey:
    try:
        pem = file.read_bytes()
    except OSError as error:
        raise UsageError(f"{file}: cannot be read: {error.strerror}") from error
    if b"PRIVATE KEY" in pem:
        raise UsageError(
            f"{file} is a private key, which does not belong here; "
            f"`imgtool getpub -k {file.name} --encoding pem` gives the public one"
        )
    try:
        key = load_pem_public_key(pem)
    except ValueError as error:
        raise UsageError(f"{file}: no public key in PEM") from error
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _CURVES:
        return SiteKey(file.name, key)
    if isinstance(key, RSAPublicKey) and key.key_size in _RSA:
        return SiteKey(file.name, key)
    if isinstance(key, Ed25519PublicKey):
        return SiteKey(file.name, key)
    raise UsageError(f"{file}: MCUboot knows Ed25519, ECDSA P-256/P-384 and RSA 2048/3072 keys")


def _is_signed_by(image: Image, key: PublicKey) -> bool:
    match key:
        case Ed25519PublicKey():
            message = image.signed_part if image.values(_PURE) else image.digest
            return any(_verifies_ed25519(key, s, message) for s in image.values(_ED25519))
        case RSAPublicKey():
            signatures = image.values(_RSA[key.key_size])
            return any(_verifies_rsa(key, s, image.signed_part) for s in signatures)
        case _:
            signatures = image.values(_ECDSA)
            return any(_verifies_ecdsa(key, s, image.signed_part) for s in signatures)


def _verifies_ed25519(key: Ed25519PublicKey, signature: bytes, message: bytes) -> bool:
    try:
        key.verify(signature, message)
    except InvalidSignature:
        return False
    return True


def _verifies_rsa(key: RSAPublicKey, signature: bytes, message: bytes) -> bool:
    scheme = padding.PSS(padding.MGF1(hashes.SHA256()), _PSS_SALT_BYTES)
    try:
        key.verify(signature, message, scheme, hashes.SHA256())
    except InvalidSignature:
        return False
    return True


def _verifies_ecdsa(key: ec.EllipticCurvePublicKey, signature: bytes, message: bytes) -> bool:
    # `imgtool --pad-sig` appends zeros up to a fixed length; a DER sequence tells its own.
    der = signature[: 2 + signature[1]] if len(signature) > 1 else signature
    try:
        key.verify(der, message, ec.ECDSA(_CURVES[key.curve.name]))
    except InvalidSignature:
        return False
    return True


def _why_nobody(image: Image, keys: tuple[SiteKey, ...]) -> str:
    names = ", ".join(key.name for key in keys)
    claimed = image.values(KEY_HASH)
    if not any(image.values(type_) for type_ in (_ED25519, _ECDSA, *_RSA.values())):
        return "the image is not signed; `imgtool sign --key KEY.pem` does that"
    for key in keys:
        if key.fingerprint in claimed:
            return f"the image claims to be signed with {key.name}, but its signature is false"
    by = f" (key {claimed[0].hex()[:16]}…)" if claimed else ""
    return f"the image is signed with a key{by} that this site does not trust: it trusts {names}"
