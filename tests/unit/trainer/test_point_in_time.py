"""Features at a moment: as the decision service would have computed them then."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlude.features.codec import decode_hot, encode_hot
from interlude.features.moment_features import with_moment
from interlude.features.schema import FEATURE_NAMES, STATE_FEATURE_NAMES
from interlude.features.state import AdEventKind, Event, hash_id
from interlude.features.vector import vector
from services.trainer.history import CustomerEvents, rows_of
from services.trainer.point_in_time import all_features, features_named, stored_features
from tests.unit.features.histories import BASE_MS, fold_all, histories
from tests.unit.trainer.test_history import CAMPAIGN, IMPRESSIONS, NOON_MS, ad, impression, listen

HOUR_MS = 3_600_000


@settings(max_examples=30)
@given(histories, st.integers(0, 48))
def test_training_and_serving_have_the_same_numbers(events: list[Event], hours: int) -> None:
    state, now_ms = fold_all(events), 2 * BASE_MS + hours * HOUR_MS
    served = with_moment(decode_hot(encode_hot(state)), now_ms, 7)
    assert all_features(state, now_ms, 7) == tuple(memoryview(served.vector).cast("f"))


def test_a_row_has_the_features_that_were_named_at_its_own_moment() -> None:
    events = CustomerEvents(
        listens=[listen(NOON_MS - HOUR_MS // 4), listen(NOON_MS)],
        ad_events=[ad(AdEventKind.CLICK, NOON_MS - 7 * 24 * HOUR_MS), impression(NOON_MS)],
    )
    names = ("offer_clicks", "recency", "mobile", "session_position", "offer_impressions")
    (row,) = rows_of(events, IMPRESSIONS, features_named(names))
    assert row is not None
    assert row.features == pytest.approx((0.5, 0.25, 1.0, 2.0, 0.0))


def test_clicks_on_another_offer_count_for_all_offers_only() -> None:
    events = CustomerEvents(
        ad_events=[ad(AdEventKind.CLICK, NOON_MS - 1, campaign="other"), impression(NOON_MS)],
    )
    (row,) = rows_of(events, IMPRESSIONS, features_named(("clicks", "offer_clicks")))
    assert row is not None
    assert row.features == pytest.approx((1.0, 0.0), abs=1e-6)
    assert hash_id(CAMPAIGN) != hash_id("other")


def test_the_stored_vector_needs_no_moment() -> None:
    assert features_named(STATE_FEATURE_NAMES) is stored_features
    state = fold_all([listen(NOON_MS)])
    assert stored_features(state, 0, 0) == vector(state)
    assert features_named(("night",))(state, NOON_MS, 0) == (all_features(state, NOON_MS, 0)[3],)


def test_a_name_that_the_schema_does_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match="shoe_size"):
        features_named((FEATURE_NAMES[0], "shoe_size"))
