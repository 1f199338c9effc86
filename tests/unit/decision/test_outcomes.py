"""Outcome tokens and what reports make of them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlude.events.validation import AHEAD_LIMIT_MS, check_ad_event
from interlude.v1 import decision_pb2 as pb
from interlude.v1 import events_pb2
from services.decision.outcomes import to_ad_event
from services.decision.requests import InvalidRequest
from services.decision.tokens import VALID_MS, InvalidToken, Shown, TokenFault, TokenIssuer

_KEY = bytes(range(32))
_SHOWN = Shown("ab" * 16, 2**63 - 1, "premium-day", 1_700_000_000_000)
_TOKENS = TokenIssuer(_KEY)
_TOKEN = _TOKENS.issue(_SHOWN)


def _report(
    kind: int = events_pb2.AD_EVENT_KIND_CLICK, at_ms: int = 0, token: bytes = _TOKEN
) -> pb.ReportOutcomeRequest:
    return pb.ReportOutcomeRequest(outcome_token=token, kind=kind, at_ms=at_ms)  # type: ignore[arg-type]


def _refusal(report: pb.ReportOutcomeRequest, now_ms: int = _SHOWN.shown_at_ms) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        to_ad_event(report, _TOKENS, now_ms)
    return caught.value


def _fault(token: bytes, now_ms: int = _SHOWN.shown_at_ms) -> TokenFault:
    with pytest.raises(InvalidToken) as caught:
        to_ad_event(_report(token=token), _TOKENS, now_ms)
    return caught.value.fault


_CAMPAIGN_IDS = st.text("abcz019_-", min_size=1, max_size=64)


@settings(max_examples=50)
@given(st.binary(min_size=16, max_size=16), st.integers(0, 2**63 - 1), st.integers(0, 2**62), _CAMPAIGN_IDS)
def test_a_token_gives_back_what_it_was_issued_for(
    decision: bytes, customer_id: int, shown_at_ms: int, campaign: str
) -> None:
    shown = Shown(decision.hex(), customer_id, campaign, shown_at_ms)
    assert _TOKENS.check(_TOKENS.issue(shown), shown_at_ms + VALID_MS) == shown


def test_every_flipped_bit_of_a_token_is_noticed() -> None:
    for place in range(len(_TOKEN) * 8):
        forged = bytearray(_TOKEN)
        forged[place // 8] ^= 1 << place % 8
        with pytest.raises(InvalidToken):
            _TOKENS.check(bytes(forged), _SHOWN.shown_at_ms)


def test_every_shortened_token_is_noticed() -> None:
    for length in range(len(_TOKEN)):
        with pytest.raises(InvalidToken):
            _TOKENS.check(_TOKEN[:length], _SHOWN.shown_at_ms)


def test_a_token_of_another_key_is_not_ours() -> None:
    with pytest.raises(InvalidToken, match="not issued"):
        TokenIssuer(bytes(32)).check(_TOKEN, _SHOWN.shown_at_ms)


def test_a_token_lasts_exactly_its_window() -> None:
    assert _TOKENS.check(_TOKEN, _SHOWN.shown_at_ms + VALID_MS) == _SHOWN
    with pytest.raises(InvalidToken, match="expired 1 s ago"):
        _TOKENS.check(_TOKEN, _SHOWN.shown_at_ms + VALID_MS + 1000)


@pytest.mark.parametrize("kind", events_pb2.AdEventKind.values()[1:])
def test_a_report_becomes_an_event_that_the_enricher_takes(kind: int) -> None:
    now_ms = _SHOWN.shown_at_ms + 3000
    event = to_ad_event(_report(kind), _TOKENS, now_ms)
    check_ad_event(event, now_ms)
    assert event.event_id == f"{_SHOWN.decision_id}/{events_pb2.AdEventKind.Name(kind)}"
    assert (event.customer_id, event.campaign_id, event.at_ms) == (_SHOWN.customer_id, "premium-day", now_ms)
    assert event.channel == events_pb2.CHANNEL_PLAYER


def test_the_same_report_again_is_the_same_event() -> None:
    first, second = (to_ad_event(_report(), _TOKENS, _SHOWN.shown_at_ms + wait_ms) for wait_ms in (0, 5000))
    assert first.event_id == second.event_id


@pytest.mark.parametrize("kind", [0, 5, -1])
def test_an_unknown_kind_is_refused(kind: int) -> None:
    assert _refusal(_report(kind)).field == "kind"


@pytest.mark.parametrize("token", [b"", b"x", _TOKEN[:-1], _TOKEN + b"x", bytes(200)])
def test_a_token_that_is_not_ours_is_refused(token: bytes) -> None:
    assert _fault(token) is TokenFault.FORGED


def test_a_token_too_old_is_told_from_one_that_is_not_ours() -> None:
    assert _fault(_TOKEN, _SHOWN.shown_at_ms + VALID_MS + 1) is TokenFault.EXPIRED


@pytest.mark.parametrize("at_ms", [_SHOWN.shown_at_ms - 1, _SHOWN.shown_at_ms + AHEAD_LIMIT_MS + 1, -1, 2**63 - 1])
def test_a_time_outside_the_window_is_refused(at_ms: int) -> None:
    assert _refusal(_report(at_ms=at_ms)).field == "at_ms"


@pytest.mark.parametrize("at_ms", [_SHOWN.shown_at_ms, _SHOWN.shown_at_ms + AHEAD_LIMIT_MS])
def test_the_ends_of_the_window_are_taken(at_ms: int) -> None:
    assert to_ad_event(_report(at_ms=at_ms), _TOKENS, _SHOWN.shown_at_ms).at_ms == at_ms
