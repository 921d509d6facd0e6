"""The page on the local network: this machine's names there, and a certificate made for them.

Nobody else vouches for the certificate. Who opens the page for the first time compares the
fingerprint that the browser shows with the one that `edge-runtime invite` prints.
"""

import datetime
import hashlib
import ipaddress
import os
import socket
import ssl
from pathlib import Path
from typing import Final

from edge_runtime.errors import ConfigError

FOLDER: Final = "tls"
_LASTS: Final = datetime.timedelta(days=825)
"""The longest that Apple's devices take."""
_RENEWED_BEFORE: Final = datetime.timedelta(days=30)


def own_names() -> tuple[str, ...]:
    """The host name, and the one that avahi-daemon answers to by mDNS: NAME.local."""
    name = socket.gethostname().lower()
    short = name.partition(".")[0]
    return (name, f"{short}.local")


def made_certificate(
    directory: Path, names: tuple[str, ...], now: datetime.datetime | None = None
) -> tuple[Path, Path]:
    """Files of a certificate for `names` and its key, below `directory`; made where there is none,
    or where it is about to end or has other names. Raises ConfigError."""
    folder = directory / FOLDER
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    now = now or datetime.datetime.now(datetime.UTC)
    try:
        from cryptography import x509  # noqa: PLC0415 - an extra
        from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415
        from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"web.lan: {error.name} is not installed; pip install 'ecg-edge[lan]'"
        ) from error
    wanted: list[x509.GeneralName] = [x509.DNSName(name) for name in (*names, "localhost")]
    wanted.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
    alternatives = x509.SubjectAlternativeName(wanted)
    try:
        if certificate.exists() and key.exists():
            there = x509.load_pem_x509_certificate(certificate.read_bytes())
            has = there.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            if has == alternatives and there.not_valid_after_utc - now > _RENEWED_BEFORE:
                return certificate, key
        private = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, names[-1])])
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(private.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))  # clocks of a network differ
            .not_valid_after(now + _LASTS)
            .add_extension(alternatives, critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .sign(private, hashes.SHA256())
        )
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        secret = private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        with os.fdopen(os.open(key, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
            out.write(secret)
        certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    except (OSError, ValueError, x509.ExtensionNotFound) as error:
        raise ConfigError(f"{folder}: no certificate can be made or read: {error}") from error
    return certificate, key


def fingerprint(certificate: Path) -> str:
    """SHA-256 of the certificate, as browsers show it. Raises ConfigError."""
    try:
        der = ssl.PEM_cert_to_DER_cert(_first(certificate.read_text(encoding="ascii")))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{certificate}: cannot be read: {error}") from error
    return ":".join(f"{byte:02X}" for byte in hashlib.sha256(der).digest())


def _first(text: str) -> str:
    """The first certificate of a chain."""
    end = "-----END CERTIFICATE-----"
    return text.partition(end)[0] + end
