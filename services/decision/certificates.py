"""What TLS needs, in PEM files that are looked at again: certificates are renewed under a running server.

The checks are those of both fronts together: what passes here can be served by either.
"""

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, SECP384R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

_RSA_BITS: Final = range(2048, 8192 + 1)
_CURVES: Final = (SECP256R1, SECP384R1)
_UNREADABLE: Final = (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion)
"""What `cryptography` raises of bytes that it cannot use; TypeError: of a key under a password."""

PublicKey = RSAPublicKey | EllipticCurvePublicKey


class UnusableCertificates(ValueError):
    """No server can be made of these files; the text says why and holds nothing of a key."""


@dataclass(frozen=True, slots=True)
class CertificateFiles:
    """Paths of the server's certificate, with its chain, and of its key."""

    certificate: str
    key: str
    client_ca: str = ""
    """Authorities of whom callers must have a certificate; empty: callers need none."""


@dataclass(frozen=True, slots=True)
class Certificates:
    """What the files hold, PEM."""

    chain: bytes
    key: bytes
    client_ca: bytes | None

    def check(self) -> None:
        """Raises `UnusableCertificates` when they are broken or do not belong together."""
        check_pair(self.chain, self.key)
        if self.client_ca is not None:
            certificates_in(self.client_ca)

    @property
    def expires_seconds(self) -> float:
        """When the first certificate of the chain expires, epoch seconds."""
        return min(certificate.not_valid_after_utc.timestamp() for certificate in certificates_in(self.chain))


def certificates_in(pem: bytes) -> list[x509.Certificate]:
    """All certificates in `pem`, one at least. Raises `UnusableCertificates`."""
    try:
        certificates = x509.load_pem_x509_certificates(pem)
        certificates[0].public_key()  # read no earlier than it is asked for
    except _UNREADABLE as error:
        raise UnusableCertificates("holds no certificate, or a broken one") from error
    return certificates


def key_in(pem: bytes) -> PublicKey:
    """The public half of the private key in `pem`. Raises `UnusableCertificates`."""
    try:
        key = load_pem_private_key(pem, password=None).public_key()
    except _UNREADABLE as error:
        raise UnusableCertificates("holds no private key, or a broken one, or one under a password") from error
    if isinstance(key, RSAPublicKey) and key.key_size in _RSA_BITS:
        return key
    if isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, _CURVES):
        return key
    raise UnusableCertificates("holds a key that is neither RSA of 2048 to 8192 bits nor ECDSA on P-256 or P-384")


def check_pair(chain: bytes, key: bytes) -> None:
    """Raises `UnusableCertificates` unless `key` is the key of the first certificate of `chain`."""
    if key_in(key) != certificates_in(chain)[0].public_key():
        raise UnusableCertificates("the key does not belong to the certificate")


def read_pem(path: str) -> bytes:
    """The bytes of a file. Raises `UnusableCertificates` that names it when it cannot be read."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise UnusableCertificates(f"cannot read {path}: {error.strerror}") from error


class RenewedCertificates:
    """The last usable certificates that were in the files."""

    def __init__(self, files: CertificateFiles) -> None:
        """Raises `UnusableCertificates` when those of now are not."""
        self._files = files
        self.current = _read(files)
        self.current.check()
        self._seen = self.current

    def look(self) -> bool:
        """Look at the files; True when others are current now.

        Raises `UnusableCertificates` when there is something new that cannot be used, once: it is nothing new the next time.
        """
        try:
            found = _read(self._files)
        except UnusableCertificates:
            return False  # being replaced at this moment: Kubernetes moves a link, others remove and write
        if found == self._seen:
            return False
        self._seen = found
        found.check()
        self.current = found
        return True

    def expires_seconds(self) -> float:
        """When what is usable in the files expires, epoch seconds; they are looked at for it."""
        with contextlib.suppress(UnusableCertificates):  # the front tells of them, and serves what was usable before
            self.look()
        return self.current.expires_seconds


def _read(files: CertificateFiles) -> Certificates:
    client_ca = read_pem(files.client_ca) if files.client_ca else None
    return Certificates(read_pem(files.certificate), read_pem(files.key), client_ca)
