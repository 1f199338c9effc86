"""Point-in-time rows: what was known of a listener just before each moment that is learned from. Pure.

A row's features come from a state into which only events *earlier* than the row's moment were folded, with the very functions
that serve online (`point_in_time.py`). An event of the same millisecond is not earlier.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple

from interlude.features.fold import fold
from interlude.features.state import (
    NEVER_ERASED,
    AdEvent,
    AdEventKind,
    Event,
    Listen,
    ListenerState,
    Profile,
    hash_id,
)
from services.trainer.point_in_time import FeaturesAt, stored_features


class RowKind(StrEnum):
    """What one training row is about. `DECISIONS` have their features in the log: nothing here makes rows of them."""

    IMPRESSIONS = "impressions"
    CLICKS = "clicks"
    DECISIONS = "decisions"


class LoggedAdEvent(NamedTuple):
    """An ad event, and the decision that caused it (empty: none of ours)."""

    event: AdEvent
    decision_id: str


class Row(NamedTuple):
    """One training row: when, what was known, and whether the offer was (label 1) or was not (0) clicked; gender and birth year
    as in the profile, 0 when unknown."""

    at_ms: int
    label: float
    features: tuple[float, ...]
    gender: int = 0
    birth_year: int = 0


@dataclass(frozen=True, slots=True)
class RowRule:
    """Which moments become rows, and what makes one a positive.

    `IMPRESSIONS`: one row per impression of `campaign`; positive when a click follows within `attribution_ms`, on the same
    decision, or, where one of the two names no decision, as the newest impression of the campaign before that click.
    `CLICKS`, for logs without impressions: one row per click; positive when it is on `campaign`.
    """

    kind: RowKind
    campaign: str
    attribution_ms: int

    @property
    def needs_a_listen(self) -> bool:
        """Whether a row without an earlier listen says nothing: a decision is made about strangers too, a click log is not."""
        return self.kind is RowKind.CLICKS


@dataclass(slots=True)
class CustomerEvents:
    """Everything that the log holds of one customer, in any order, with repetitions. `erased_at_ms`: the newest erasure."""

    listens: list[Listen] = field(default_factory=list)
    profiles: list[Profile] = field(default_factory=list)
    ad_events: list[LoggedAdEvent] = field(default_factory=list)
    erased_at_ms: int = NEVER_ERASED

    def drop_erased(self) -> None:
        """Forget what an erasure erased, wherever in the log it was."""
        self.listens = [listen for listen in self.listens if listen.played_at_ms > self.erased_at_ms]
        self.profiles = [profile for profile in self.profiles if profile.updated_at_ms > self.erased_at_ms]
        self.ad_events = [logged for logged in self.ad_events if logged.event.at_ms > self.erased_at_ms]


_FIRST: Final = 0


def rows_of(events: CustomerEvents, rule: RowRule, features_at: FeaturesAt = stored_features) -> Iterator[Row | None]:
    """The rows of one customer by time; None for each that was dropped because no listen came before it."""
    campaign_hash = hash_id(rule.campaign)
    state = ListenerState()
    earlier = iter(by_time(events))
    upcoming = next(earlier, None)
    for at_ms, label in targets_of(events, rule):
        while upcoming is not None and upcoming[_FIRST] < at_ms:
            state = fold(state, upcoming[1]).state
            upcoming = next(earlier, None)
        if rule.needs_a_listen and not state.listens.marks:
            yield None
        else:
            yield to_row(at_ms, label, state, features_at(state, at_ms, campaign_hash))


def to_row(at_ms: int, label: float, state: ListenerState, features: tuple[float, ...]) -> Row:
    """The row of that moment, with these features, by what the state knows."""
    if state.profile is None:
        return Row(at_ms, label, features)
    return Row(at_ms, label, features, state.profile.gender, state.profile.birth_year)


def final_state(events: CustomerEvents) -> ListenerState:
    """The state that includes everything."""
    state = ListenerState()
    for _, event in by_time(events):
        state = fold(state, event).state
    return state


def targets_of(events: CustomerEvents, rule: RowRule) -> list[tuple[int, float]]:
    """When one customer's rows are, and their labels, by time."""
    return _clicks(events, rule) if rule.kind is RowKind.CLICKS else _impressions(events, rule)


def by_time(events: CustomerEvents) -> list[tuple[int, Event]]:
    """Everything that is folded, with its time, oldest first."""
    moments: list[tuple[int, Event]] = [(listen.played_at_ms, listen) for listen in events.listens]
    moments += [(profile.updated_at_ms, profile) for profile in events.profiles]
    moments += [(logged.event.at_ms, logged.event) for logged in events.ad_events]
    moments.sort(key=lambda moment: moment[_FIRST])
    return moments


def _clicks(events: CustomerEvents, rule: RowRule) -> list[tuple[int, float]]:
    wanted = hash_id(rule.campaign)
    clicks = _distinct(logged for logged in events.ad_events if logged.event.kind is AdEventKind.CLICK)
    return [(click.event.at_ms, float(click.event.campaign_hash == wanted)) for click in clicks]


def _impressions(events: CustomerEvents, rule: RowRule) -> list[tuple[int, float]]:
    wanted = hash_id(rule.campaign)
    of_campaign = _distinct(logged for logged in events.ad_events if logged.event.campaign_hash == wanted)
    impressions = [logged for logged in of_campaign if logged.event.kind is AdEventKind.IMPRESSION]
    labels = [0.0] * len(impressions)
    for logged in of_campaign:
        if logged.event.kind is AdEventKind.CLICK:
            place = _clicked(impressions, logged, rule.attribution_ms)
            if place is not None:
                labels[place] = 1.0
    return [(logged.event.at_ms, label) for logged, label in zip(impressions, labels, strict=True)]


def _clicked(impressions: Sequence[LoggedAdEvent], click: LoggedAdEvent, attribution_ms: int) -> int | None:
    """The place of the impression (sorted by time) that led to `click`, None when none did."""
    end = bisect_right(impressions, click.event.at_ms, key=lambda logged: logged.event.at_ms)
    for place in range(end - 1, -1, -1):
        impression = impressions[place]
        if click.event.at_ms - impression.event.at_ms > attribution_ms:
            return None
        if not (impression.decision_id and click.decision_id) or impression.decision_id == click.decision_id:
            return place
    return None


def _distinct(events: Iterable[LoggedAdEvent]) -> list[LoggedAdEvent]:
    """By time, each event once however often it was delivered."""
    known = {(logged.event.at_ms, logged.event.event_hash): logged for logged in events}
    return [known[moment] for moment in sorted(known)]
