"""What a model says of itself, to bytes and back."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devstack.keys import generate_keys
from interlude.models.manifest import GoldenRow, Manifest, RefusedModel, sign, verify
from tests.models import KEYS, ModelSpec

_MANIFEST = ModelSpec().manifest
_FINITE = st.floats(allow_nan=False, allow_infinity=False)


@settings(max_examples=50)
@given(
    st.builds(
        Manifest,
        algorithm=st.text(max_size=20),
        model_sha256=st.text("0123456789abcdef", min_size=64, max_size=64),
        features=st.tuples(st.text(max_size=10)),
        fingerprints=st.tuples(st.text(max_size=10)),
        threshold=_FINITE,
        golden=st.lists(st.builds(GoldenRow, st.tuples(_FINITE), _FINITE), max_size=2).map(tuple),
        metrics=st.dictionaries(st.text(max_size=5), _FINITE, max_size=3),
        trained_at_ms=st.integers(),
        training_rows=st.integers(),
        training_source=st.text(max_size=10),
        libraries=st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=2),
    )
)
def test_a_manifest_survives_the_way_to_json_and_back(manifest: Manifest) -> None:
    assert Manifest.from_json(manifest.to_json()) == manifest


def test_equal_manifests_have_equal_bytes_and_versions() -> None:
    again = Manifest.from_json(json.dumps(dict(reversed(json.loads(_MANIFEST.to_json()).items()))).encode())
    assert again.to_json() == _MANIFEST.to_json()
    assert again.version == _MANIFEST.version


@pytest.mark.parametrize(
    "change", [{"threshold": 0.51}, {"model_sha256": "0" * 64}, {"trained_at_ms": 1}, {"libraries": {"onnx": "2"}}]
)
def test_any_change_is_another_version(change: dict[str, Any]) -> None:
    assert replace(_MANIFEST, **change).version != _MANIFEST.version


def test_what_tells_of_the_training_rows_is_part_of_the_version_only_where_it_is_there() -> None:
    told = replace(_MANIFEST, training_summary={"mobile": {"edges": [0.5], "shares": [0.4, 0.6]}})
    assert Manifest.from_json(told.to_json()) == told
    assert told.version != _MANIFEST.version
    assert b"training_summary" not in _MANIFEST.to_json()  # manifests of before keep their version


def test_a_version_is_sixteen_hex_digits() -> None:
    assert len(_MANIFEST.version) == 16
    int(_MANIFEST.version, 16)


def _changed(**changes: Any) -> bytes:
    return json.dumps({**json.loads(_MANIFEST.to_json()), **changes}).encode()


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"7",
        b"\xff\xfe\xfd",
        b"{}",
        _changed(golden=3),
        _changed(golden=[[]]),
        _changed(features=None),
        _changed(unknown_field=1),
    ],
)
def test_garbage_is_refused(document: bytes) -> None:
    with pytest.raises(RefusedModel) as caught:
        Manifest.from_json(document)
    assert caught.value.check == "manifest"


@pytest.mark.parametrize("version", [0, 2, "1", None])
def test_another_format_is_refused(version: object) -> None:
    with pytest.raises(RefusedModel) as caught:
        Manifest.from_json(_changed(format_version=version))
    assert caught.value.check == "format"


def test_a_number_that_json_does_not_have_is_never_written() -> None:
    with pytest.raises(ValueError, match="Out of range float"):
        replace(_MANIFEST, threshold=float("nan")).to_json()


def test_a_signature_verifies_only_its_own_bytes_under_its_own_key() -> None:
    document = _MANIFEST.to_json()
    signature = sign(document, KEYS.model_private_key)
    verify(document, signature, KEYS.model_public_key)
    for bytes_, given_signature, key in (
        (document + b" ", signature, KEYS.model_public_key),
        (document, bytes(64), KEYS.model_public_key),
        (document, signature[:-1], KEYS.model_public_key),
        (document, b"", KEYS.model_public_key),
        (document, signature, generate_keys().model_public_key),
    ):
        with pytest.raises(RefusedModel) as caught:
            verify(bytes_, given_signature, key)
        assert caught.value.check == "signature"
