"""The rows of many customers from one table of their events: what `history.rows_of` makes of each, without folding listens."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from interlude.features.fold import fold
from interlude.features.state import AdEvent, AdEventKind, Level, ListenerState, Profile, hash_id
from services.trainer.history import CustomerEvents, LoggedAdEvent, Row, RowRule, by_time, targets_of, to_row
from services.trainer.lake.tables import AD_EVENTS, CUSTOMERS, LISTENS, Change
from services.trainer.listen_columns import LOCAL_TIME_UNKNOWN, ListenColumns, to_columns
from services.trainer.point_in_time import FeaturesAt, stored_features


class CustomerRows:
    """Iterates over customer ids and rows; None for each row that was dropped because no listen came before it.

    `table` has the columns of `lake_rows.events_by_customer`, all events of each customer in it.
    """

    def __init__(self, table: pa.Table, rule: RowRule, features_at: FeaturesAt = stored_features) -> None:
        self._rule = rule
        self._features_at = features_at
        self._campaign_hash = hash_id(rule.campaign)
        ads = _of(table, AD_EVENTS.name)
        self._customers = _with_ad_events(ads)
        wanted = pa.array(sorted(self._customers), pa.int64())
        _add_profiles(self._customers, _only(_of(table, CUSTOMERS.name), wanted))
        self._listens = listen_columns(_only(_of(table, LISTENS.name), wanted))

    def __iter__(self) -> Iterator[tuple[int, Row | None]]:
        for customer_id, events in self._customers.items():
            for row in self._rows(customer_id, events):
                yield customer_id, row

    def _rows(self, customer_id: int, events: CustomerEvents) -> Iterator[Row | None]:
        begin, end = self._listens.of(customer_id)
        others = by_time(events)
        state, folded = ListenerState(), 0
        for at_ms, label in targets_of(events, self._rule):
            while folded < len(others) and others[folded][0] < at_ms:
                state = fold(state, others[folded][1]).state
                folded += 1
            listens = self._listens.before(at_ms, begin, end)
            if self._rule.needs_a_listen and not listens.marks:
                yield None
            else:
                known = state._replace(listens=listens)
                yield to_row(at_ms, label, known, self._features_at(known, at_ms, self._campaign_hash))


def listen_columns(listens: pa.Table) -> ListenColumns:
    """The listens of a table as sorted columns."""
    offsets = pc.fill_null(listens["utc_offset_minutes"].cast(pa.int64()), LOCAL_TIME_UNKNOWN)
    return to_columns(
        listens["customer_id"].to_numpy(),
        listens["at_ms"].to_numpy(),
        listens["event_id"].to_pylist(),
        listens["track_id"].to_numpy(),
        np.asarray(listens["mobile"]).astype(np.bool_),
        offsets.to_numpy(),
    )


def _of(table: pa.Table, source: str) -> pa.Table:
    return table.filter(pc.equal(table["source"], source))


def _only(table: pa.Table, customer_ids: pa.Array) -> pa.Table:
    return table.filter(pc.is_in(table["customer_id"], customer_ids))


def _values(table: pa.Table, names: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    return zip(*(table[name].to_pylist() for name in names), strict=True)


def _with_ad_events(ads: pa.Table) -> dict[int, CustomerEvents]:
    """Everybody who has an ad event: nobody else has rows."""
    customers: dict[int, CustomerEvents] = {}
    hashes: dict[str, int] = {}
    names = ("customer_id", "at_ms", "event_id", "campaign_id", "kind", "decision_id")
    for customer_id, at_ms, event_id, campaign_id, kind, decision_id in _values(ads, names):
        if campaign_id not in hashes:
            hashes[campaign_id] = hash_id(campaign_id)
        event = AdEvent(at_ms, hash_id(event_id), hashes[campaign_id], AdEventKind(kind))
        customers.setdefault(customer_id, CustomerEvents()).ad_events.append(LoggedAdEvent(event, decision_id or ""))
    return customers


def _add_profiles(customers: dict[int, CustomerEvents], changes: pa.Table) -> None:
    """Profiles in the order of the log, because a deletion forgets those before it."""
    changes = changes.sort_by([("customer_id", "ascending"), ("log_offset", "ascending")])
    names = (
        "customer_id", "change", "at_ms", "level", "active", "consent_player_offers", "consent_sms", "gender", "birth_year",
        "time_zone",
    )  # fmt: skip
    for customer_id, change, at_ms, level, active, player, sms, gender, birth_year, zone in _values(changes, names):
        profiles = customers[customer_id].profiles
        if change == Change.PROFILE.value:
            profiles.append(Profile(at_ms, Level(level), active, player, sms, gender, birth_year, zone))
        elif change == Change.DELETED.value:
            profiles.clear()
