"""Certificates from files: what is fit to serve, and what becomes of files that change."""

import contextlib
import datetime
from pathlib import Path
from typing import Final

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from services.decision.certificates import (
    CertificateFiles,
    RenewedCertificates,
    UnusableCertificates,
    certificates_in,
    check_pair,
    key_in,
)
from tests.certificates import Authority, MountedSecret

_OURS: Final = Authority("ours")
_ISSUED: Final = _OURS.issue()
_RSA: Final = rsa.generate_private_key(65537, 2048)


@pytest.fixture
def secret(tmp_path: Path) -> MountedSecret:
    """Files with a certificate, its key and an authority."""
    secret = MountedSecret(tmp_path)
    secret.issue(_OURS)
    return secret


def _watched(secret: MountedSecret) -> RenewedCertificates:
    return RenewedCertificates(CertificateFiles(str(secret.certificate), str(secret.key), str(secret.client_ca)))


def _pem(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey,
    encryption: KeySerializationEncryption | None = None,
) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption())


@pytest.mark.parametrize(
    "key", [_RSA, ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP384R1())], ids=type
)
def test_keys_that_both_fronts_can_serve(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> None:
    issued = _OURS.issue(key)
    check_pair(issued.certificate, issued.key)
    # As many tools write it: everything in one file, in any order.
    check_pair(issued.key + issued.certificate, issued.certificate + issued.key)


@pytest.mark.parametrize(
    "key", [ec.generate_private_key(ec.SECP521R1()), ed25519.Ed25519PrivateKey.generate()], ids=type
)
def test_keys_that_one_front_or_its_callers_cannot_use(
    key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey,
) -> None:
    with pytest.raises(UnusableCertificates, match="neither RSA"):
        key_in(_pem(key))


def test_a_key_under_a_password_is_refused_and_nobody_is_asked_for_it() -> None:
    with pytest.raises(UnusableCertificates, match="under a password"):
        key_in(_pem(_RSA, BestAvailableEncryption(b"password")))


@given(place=st.integers(0, len(_ISSUED.certificate) - 1), byte=st.integers(0, 255), junk=st.binary(max_size=64))
def test_garbage_is_refused_and_never_anything_worse(place: int, byte: int, junk: bytes) -> None:
    changed = bytearray(_ISSUED.certificate)
    changed[place] = byte
    for content in (bytes(changed), _ISSUED.certificate[:place] + junk, junk):
        with pytest.raises(UnusableCertificates):
            key_in(content)
        with contextlib.suppress(UnusableCertificates):
            # What still reads as one has an end, or /metrics would fail over it.
            assert all(certificate.not_valid_after_utc for certificate in certificates_in(content))


def test_what_does_not_change_is_nothing_new(secret: MountedSecret) -> None:
    watched = _watched(secret)
    first = watched.current
    assert not watched.look()
    assert watched.current is first


def test_renewed_files_are_current_at_the_next_look(secret: MountedSecret) -> None:
    watched = _watched(secret)
    renewed = secret.issue(_OURS)
    assert watched.look()
    assert (watched.current.chain, watched.current.key) == (renewed.certificate, renewed.key)
    assert not watched.look()


def test_another_authority_alone_is_something_new(secret: MountedSecret) -> None:
    watched = _watched(secret)
    theirs = Authority("theirs")
    secret.write(watched.current.chain, watched.current.key, theirs.pem)
    assert watched.look()
    assert watched.current.client_ca == theirs.pem


def test_broken_files_are_told_once_and_the_old_ones_stay(secret: MountedSecret) -> None:
    watched = _watched(secret)
    first = watched.current
    for certificate, key, client_ca in (
        (b"half a file", first.key, _OURS.pem),
        (first.chain, b"half a file", _OURS.pem),
        (first.chain, first.key, b"half a file"),
        (first.chain, _ISSUED.key, _OURS.pem),
    ):
        secret.write(certificate, key, client_ca)
        with pytest.raises(UnusableCertificates):
            watched.look()
        assert not watched.look()
        assert watched.current is first
    mended = secret.issue(_OURS)
    assert watched.look()
    assert watched.current.chain == mended.certificate


def test_a_file_that_is_away_for_a_moment_is_no_news(secret: MountedSecret) -> None:
    watched = _watched(secret)
    secret.key.unlink()
    assert not watched.look()


def test_at_the_start_what_is_not_usable_is_told(secret: MountedSecret) -> None:
    secret.key.unlink()
    with pytest.raises(UnusableCertificates, match=f"cannot read {secret.key}"):
        _watched(secret)


def test_the_first_of_a_chain_to_expire_counts(secret: MountedSecret) -> None:
    long, short = _OURS.issue(valid_for=datetime.timedelta(days=9)), _OURS.issue(valid_for=datetime.timedelta(hours=1))
    secret.write(long.certificate + short.certificate, long.key, _OURS.pem)
    watched = _watched(secret)
    assert watched.expires_seconds() == short.expires_seconds
    secret.write(long.certificate, long.key, _OURS.pem)
    assert watched.expires_seconds() == long.expires_seconds
    secret.write(short.certificate, long.key, _OURS.pem)  # refused: what was there before is served
    assert watched.expires_seconds() == long.expires_seconds
