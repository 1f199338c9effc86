"""The schema names each feature once, and its fingerprint notices a change of meaning."""

import dataclasses
import re

import pytest

from interlude.features.schema import FEATURE_NAMES, FEATURES, FINGERPRINTS, SCHEMA_VERSION

CHANGES: list[dict[str, object]] = [{"name": "dawn"}, {"unit": "count"}, {"default": 0.5}, {"version": 2}]


def test_the_first_six_features_are_those_of_the_public_data_set() -> None:
    assert FEATURE_NAMES[:6] == ("morning", "afternoon", "evening", "night", "mobile", "unique")


def test_no_two_features_have_the_same_name_or_fingerprint() -> None:
    assert len(set(FEATURE_NAMES)) == len(set(FINGERPRINTS.values())) == len(FEATURES)


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_meaning_changes_the_fingerprint(change: dict[str, object]) -> None:
    changed = dataclasses.replace(FEATURES[0], **change)  # type: ignore[arg-type]
    assert changed.fingerprint != FEATURES[0].fingerprint


def test_a_better_sentence_is_no_change_of_meaning() -> None:
    assert dataclasses.replace(FEATURES[0], doc="Otherwise.").fingerprint == FEATURES[0].fingerprint


def test_the_schemas_version_is_twelve_hex_digits() -> None:
    assert re.fullmatch("[0-9a-f]{12}", SCHEMA_VERSION)
