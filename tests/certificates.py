"""Authorities, certificates and the files that a server reads them from, made anew for each test."""

import datetime
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from devstack.ports import LOOPBACK

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

_NAMES: Final = x509.SubjectAlternativeName(
    [x509.DNSName("localhost"), x509.DNSName("decision"), x509.IPAddress(ip_address(LOOPBACK))]
)
_A_DAY: Final = datetime.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate and its key, PEM."""

    certificate: bytes
    key: bytes
    serial: int
    expires_seconds: float


class Authority:
    """Issues certificates for this machine; its own is self-signed."""

    def __init__(self, name: str) -> None:
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.pem = self._sign(self._name, self._key, _A_DAY, is_authority=True).public_bytes(Encoding.PEM)

    def issue(self, key: PrivateKey | None = None, valid_for: datetime.timedelta = _A_DAY) -> Issued:
        """A certificate of a new key, or of `key`."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        certificate = self._sign(x509.Name([]), key, valid_for, is_authority=False)
        return Issued(
            certificate.public_bytes(Encoding.PEM),
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
            certificate.serial_number,
            certificate.not_valid_after_utc.timestamp(),
        )

    def _sign(
        self, name: x509.Name, key: PrivateKey, valid_for: datetime.timedelta, *, is_authority: bool
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _A_DAY)
            .not_valid_after(now + valid_for)
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(_NAMES, critical=not is_authority)
            .sign(self._key, hashes.SHA256())
        )


class MountedSecret:
    """A directory with tls.crt, tls.key and ca.crt, replaced as Kubernetes does it: by moving one link."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._writes = 0
        self.certificate, self.key, self.client_ca = (directory / name for name in ("tls.crt", "tls.key", "ca.crt"))
        for file in (self.certificate, self.key, self.client_ca):
            file.symlink_to(Path("..data") / file.name)

    def write(self, certificate: bytes, key: bytes, client_ca: bytes) -> None:
        """All three files, at once."""
        self._writes += 1
        version = self._directory / f"..{self._writes}"
        version.mkdir()
        for name, content in (("tls.crt", certificate), ("tls.key", key), ("ca.crt", client_ca)):
            (version / name).write_bytes(content)
        link = self._directory / "..data_tmp"
        link.symlink_to(version.name)
        link.replace(self._directory / "..data")

    def issue(self, authority: Authority) -> Issued:
        """Write a new certificate of `authority`, and `authority` as that of the callers."""
        issued = authority.issue()
        self.write(issued.certificate, issued.key, authority.pem)
        return issued
