"""TLS and mTLS, and certificates that are renewed while the server runs."""

import datetime
from pathlib import Path
from typing import Any

import grpc
import pytest
from conftest import ECHO, Run, Running
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from test_batches import failure

NOW = datetime.datetime.now(datetime.UTC)
DAY = datetime.timedelta(days=1)


class Authority:
    """Signs certificates for localhost; its own one is self-signed."""

    def __init__(self, name: str) -> None:
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._certificate = self._sign(self._name, self._key, authority=True)

    def pem(self) -> bytes:
        return self._certificate.public_bytes(serialization.Encoding.PEM)

    def issue(self) -> tuple[bytes, bytes]:
        """Certificate and key."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
        certificate = self._sign(name, key, authority=False).public_bytes(serialization.Encoding.PEM)
        return certificate, key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    def _sign(self, name: x509.Name, key: ec.EllipticCurvePrivateKey, *, authority: bool) -> x509.Certificate:
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - DAY)
            .not_valid_after(NOW + DAY)
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
            .sign(self._key, hashes.SHA256())
        )


class Files:
    def __init__(self, folder: Path, authority: Authority) -> None:
        self.certificate = folder / "server.pem"
        self.key = folder / "server.key"
        self.client_ca = folder / "ca.pem"
        self.write(authority)

    def write(self, authority: Authority) -> None:
        certificate, key = authority.issue()
        self.certificate.write_bytes(certificate)
        self.key.write_bytes(key)
        self.client_ca.write_bytes(authority.pem())

    def options(self, *, mutual: bool = False) -> dict[str, str]:
        options = {"certificate_file": str(self.certificate), "key_file": str(self.key)}
        return options | ({"client_ca_file": str(self.client_ca)} if mutual else {})


def say(front: Running, trusted: Authority, client: Authority | None = None) -> bytes:
    certificate, key = client.issue() if client else (None, None)
    credentials = grpc.ssl_channel_credentials(trusted.pem(), key, certificate)
    with grpc.secure_channel(f"localhost:{front.front.port}", credentials) as channel:
        method: Any = channel.unary_unary(ECHO)
        future = method.future(b"hi", timeout=5)
        if future.exception() is not None:
            raise ConnectionError(failure(future).code())
        answer: bytes = future.result()
        return answer


def test_tls_serves_those_who_trust_it_and_nobody_in_the_clear(run: Run, tmp_path: Path) -> None:
    ours, theirs = Authority("ours"), Authority("theirs")
    front = run(**Files(tmp_path, ours).options())
    assert say(front, ours) == b"hi"
    with pytest.raises(ConnectionError):
        say(front, theirs)
    assert failure(front.call().future(b"clear", timeout=5)).code() is grpc.StatusCode.UNAVAILABLE
    front.counted("connections_failed", 2)
    assert len(front.calls) == 1


def test_mutual_tls_wants_a_certificate_of_the_right_authority(run: Run, tmp_path: Path) -> None:
    ours, theirs = Authority("ours"), Authority("theirs")
    front = run(**Files(tmp_path, ours).options(mutual=True))
    assert say(front, ours, ours) == b"hi"
    for stranger in (None, theirs):
        with pytest.raises(ConnectionError):
            say(front, ours, stranger)
    assert len(front.calls) == 1


def test_renewed_files_are_used_and_broken_ones_are_not(
    run: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    old, new = Authority("old"), Authority("new")
    files = Files(tmp_path, old)
    front = run(**files.options(mutual=True))
    assert say(front, old, old) == b"hi"
    files.key.write_bytes(b"half a file")
    front.counted("certificates_refused", 1)
    assert say(front, old, old) == b"hi"
    files.write(new)
    front.counted("certificates_reloaded", 1)
    front.until(lambda: "new certificates are in use" in caplog.text)
    assert say(front, new, new) == b"hi"
    with pytest.raises(ConnectionError):
        say(front, old, old)
    assert "not used" in caplog.text
    files.key.unlink()
    assert say(front, new, new) == b"hi"


@pytest.mark.parametrize("broken", ["certificate", "key", "client_ca"])
def test_files_that_cannot_be_used_are_told_at_once(run: Run, tmp_path: Path, broken: str) -> None:
    files = Files(tmp_path, Authority("ours"))
    getattr(files, broken).write_bytes(b"")
    with pytest.raises(ValueError, match=f"{broken}_file"):
        run(**files.options(mutual=True))
