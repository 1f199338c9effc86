"""Who is shown the offer: every rule in order, the first that matches decides. Pure.

A rule speaks against showing. It says whether it matches, which values it compared, and what would have to change; Decide
asks only for the first match, Explain asks all of them everything.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NamedTuple

from interlude.contacts.campaign import Campaign
from interlude.contacts.caps import MINUTE_MS, NO_USE, CapUse
from interlude.features.codec import HotFeatures, ProfileFlag
from interlude.features.state import Level


class Reason(IntEnum):
    """Why an answer is what it is, numbered as on the wire."""

    SWITCHED_OFF = 1
    UNKNOWN_CUSTOMER = 2
    INACTIVE = 3
    LEVEL = 4
    NO_CONSENT = 5
    FREQUENCY_CAP = 7
    MINIMUM_GAP = 8
    LOW_SCORE = 12
    SHOW = 15
    UNAVAILABLE = 16


class Rung(IntEnum):
    """How much of the machinery an answer could use, numbered as on the wire."""

    FULL = 1
    NO_RESERVATION = 2
    NO_FEATURES = 3
    NO_MODEL = 4
    NO_TIME = 5


class Facts(NamedTuple):
    """All that a decision is made from.

    `listener` is None when nothing is known of the customer; `score` is a click probability, None without model or listener.
    """

    campaign: Campaign
    rung: Rung = Rung.FULL
    listener: HotFeatures | None = None
    cap_use: CapUse = NO_USE
    score: float | None = None
    threshold: float = 0.0


@dataclass(frozen=True, slots=True)
class Rule:
    """One reason against showing."""

    reason: Reason
    matches: Callable[[Facts], bool]
    detail: Callable[[Facts], str]
    to_change: Callable[[Facts], str]


def decide(facts: Facts) -> Reason:
    """The reason of the first rule that matches; `SHOW` when none does."""
    for matches, reason in _MATCHES:
        if matches(facts):
            return reason
    return Reason.SHOW


_UNREAD: Final = (Rung.NO_FEATURES, Rung.NO_TIME)
_KNOWN: Final = ProfileFlag.KNOWN.value
_ACTIVE: Final = ProfileFlag.ACTIVE.value
_CONSENT: Final = ProfileFlag.CONSENT_PLAYER_OFFERS.value
_GOLD: Final = Level.GOLD.value


def _has(facts: Facts, flag: int) -> bool:
    return facts.listener is not None and facts.listener.flags & flag != 0


def _profile_text(facts: Facts) -> str:
    if facts.rung in _UNREAD:
        return "nothing was read of this customer"
    if facts.listener is None:
        return "nothing is known of this customer"
    return "a profile is known" if _has(facts, _KNOWN) else "listens are known, a profile is not"


def _level_text(facts: Facts) -> str:
    return f"level {Level(facts.listener.level).name}" if facts.listener else "no level known"


def _yes_no(question: str, flag: int) -> Callable[[Facts], str]:
    def text(facts: Facts) -> str:
        if facts.listener is None:
            return f"{question}: not known"
        return f"{question}: {'yes' if _has(facts, flag) else 'no'}"

    return text


def _capped(facts: Facts) -> bool:
    return facts.cap_use.contacts_last_day >= facts.campaign.contacts_per_day


def _cap_resets(facts: Facts) -> str:
    """There is room again once as many contacts have left as are beyond the cap, and one more."""
    cap = facts.campaign.contacts_per_day
    if cap == 0:
        return "raise contacts_per_day"
    return f"cap resets in {_duration(facts.cap_use.leave_in_ms[facts.cap_use.contacts_last_day - cap])}"


def _too_soon(facts: Facts) -> bool:
    since_ms = facts.cap_use.since_last_contact_ms
    return since_ms is not None and since_ms < facts.campaign.minimum_gap_minutes * MINUTE_MS


def _gap_text(facts: Facts) -> str:
    since_ms = facts.cap_use.since_last_contact_ms
    last = "no contact yet" if since_ms is None else f"last contact {_elapsed(since_ms)} ago"
    return f"{last}, minimum gap {facts.campaign.minimum_gap_minutes} min"


def _gap_ends(facts: Facts) -> str:
    gap_ms = facts.campaign.minimum_gap_minutes * MINUTE_MS
    return f"gap ends in {_duration(gap_ms - (facts.cap_use.since_last_contact_ms or 0))}"


def _model_text(facts: Facts) -> str:
    if facts.rung is Rung.NO_MODEL:
        return "no model is loaded"
    return "no features to score" if facts.score is None else "the model was asked"


def _model_to_change(facts: Facts) -> str:
    return "a model has to be promoted" if facts.rung is Rung.NO_MODEL else "features have to be known"


def _below_threshold(facts: Facts) -> bool:
    # Not `score < threshold`: a score that is not a number is no reason to show anything.
    return facts.score is not None and not facts.score >= facts.threshold


def _score_text(facts: Facts) -> str:
    score = "no score" if facts.score is None else f"score {facts.score:.4f}"
    return f"{score}, threshold {facts.threshold:.4f}"


def _elapsed(span_ms: int) -> str:
    """A span that has passed, in units that are full: 19 min 59 s ago is less than a gap of 20 min."""
    unit_ms = MINUTE_MS if span_ms >= MINUTE_MS else 1000
    return _duration(span_ms // unit_ms * unit_ms)


def _duration(span_ms: int) -> str:
    """A span to wait, as a person says it, rounded up: "3 h 12 min", "40 s"."""
    seconds = max(0, -(-span_ms // 1000))
    if seconds < 60:
        return f"{seconds} s"
    minutes = -(-seconds // 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _fixed(text: str) -> Callable[[Facts], str]:
    return lambda _facts: text


RULES: Final[tuple[Rule, ...]] = (
    Rule(
        Reason.SWITCHED_OFF,
        lambda facts: not facts.campaign.enabled,
        lambda facts: f"campaign {facts.campaign.campaign_id} is {'on' if facts.campaign.enabled else 'off'}",
        _fixed("switch the campaign on"),
    ),
    Rule(
        Reason.UNAVAILABLE,
        lambda facts: facts.rung in _UNREAD,
        lambda facts: f"features: {'not read' if facts.rung in _UNREAD else 'read'}",
        _fixed("the feature store has to answer in time"),
    ),
    Rule(
        Reason.UNKNOWN_CUSTOMER,
        lambda facts: not _has(facts, _KNOWN),
        _profile_text,
        _fixed("a profile has to arrive on the topic customers"),
    ),
    Rule(
        Reason.INACTIVE,
        lambda facts: not _has(facts, _ACTIVE),
        _yes_no("account active", _ACTIVE),
        _fixed("the account has to be active"),
    ),
    Rule(
        Reason.LEVEL,
        lambda facts: facts.listener is not None and facts.listener.level == _GOLD,
        _level_text,
        _fixed("Gold has everything the offer sells"),
    ),
    Rule(
        Reason.NO_CONSENT,
        lambda facts: not _has(facts, _CONSENT),
        _yes_no("consent to offers in the player", _CONSENT),
        _fixed("the customer has to consent"),
    ),
    Rule(
        Reason.FREQUENCY_CAP,
        _capped,
        lambda facts: (
            f"{facts.cap_use.contacts_last_day} contacts in the last 24 h, cap {facts.campaign.contacts_per_day}"
        ),
        _cap_resets,
    ),
    Rule(Reason.MINIMUM_GAP, _too_soon, _gap_text, _gap_ends),
    Rule(
        Reason.UNAVAILABLE,
        lambda facts: facts.score is None,
        _model_text,
        _model_to_change,
    ),
    Rule(
        Reason.LOW_SCORE,
        _below_threshold,
        _score_text,
        lambda facts: f"a score of at least {facts.threshold:.4f}",
    ),
)
"""In the order of application. The reservation that follows a `SHOW` checks the caps once more, atomically."""

_MATCHES: Final = tuple((rule.matches, rule.reason) for rule in RULES)
"""What deciding needs of them."""
