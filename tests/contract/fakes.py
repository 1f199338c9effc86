"""In-memory stand-ins for Redis. The contract suites prove that they answer as it does."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from interlude.contacts.budget import BudgetState
from interlude.contacts.campaign import Campaign
from interlude.contacts.caps import Channel, Contact, violated
from interlude.contacts.ledger import (
    CONTACTS_KEPT,
    KEPT_MS,
    LedgerUnavailable,
    Outcome,
    Reservation,
    ReservationRequest,
    encode_contact,
)
from interlude.v1 import events_pb2
from services.decision.answers import read_listener
from services.decision.champion import Roster, Serving, Trial
from services.decision.listeners import Listener, ListenersUnavailable
from services.decision.reported import ReportsUnavailable, reported_key


@dataclass
class FakeLedger:
    """A contact ledger in a dictionary. `available` false: Redis does not answer."""

    available: bool = True
    contacts: dict[int, tuple[Contact, ...]] = field(default_factory=dict)
    requests: list[ReservationRequest] = field(default_factory=list)
    timeouts_seconds: list[float | None] = field(default_factory=list)
    _once: dict[tuple[int, int, Channel], int] = field(default_factory=dict)

    def reserve(
        self, requests: Sequence[ReservationRequest], timeout_seconds: float | None = None
    ) -> list[Reservation]:
        """One result per request. Raises `LedgerUnavailable`."""
        if not self.available:
            raise LedgerUnavailable("told so")
        self.requests.extend(requests)
        self.timeouts_seconds.append(timeout_seconds)
        return [self._reserve(request) for request in requests]

    def _reserve(self, request: ReservationRequest) -> Reservation:
        marker = (request.customer_id, request.campaign.campaign_hash, request.channel)
        if request.once and marker in self._once:
            repeated = self._once[marker] == request.request_hash
            return Reservation(Outcome.REPEATED if repeated else Outcome.ALREADY_CONTACTED)
        contacts = self.contacts.get(request.customer_id, ())
        if request.request_hash in [contact.request_hash for contact in contacts]:
            return Reservation(Outcome.REPEATED)
        full = violated(request.windows, [contact.at_ms for contact in contacts])
        if full is not None:
            return Reservation(Outcome.CAPPED, full.kind)
        self._add(request)
        if request.once:
            self._once[marker] = request.request_hash
        return Reservation(Outcome.RESERVED)

    def _add(self, request: ReservationRequest) -> None:
        known = self.contacts.get(request.customer_id, ())
        kept = [contact for contact in known if contact.at_ms > request.at_ms - KEPT_MS]
        campaign_hash = request.campaign.campaign_hash
        kept.append(
            Contact(request.at_ms, request.request_hash, campaign_hash, request.channel, withheld=request.withheld)
        )
        kept.sort(key=lambda contact: contact.at_ms)
        self.contacts[request.customer_id] = tuple(kept[-CONTACTS_KEPT:])


@dataclass
class FakeListeners:
    """Features and contacts in dictionaries. `available` false: Redis does not answer."""

    available: bool = True
    features: dict[int, bytes] = field(default_factory=dict)
    contacts: dict[int, tuple[Contact, ...]] = field(default_factory=dict)
    timeouts_seconds: list[float] = field(default_factory=list)
    batches: list[list[int]] = field(default_factory=list)
    patience_seconds: float = 0.015

    def read(self, customer_ids: Sequence[int], timeout_seconds: float) -> list[Listener]:
        """One listener per id, in order. Raises `ListenersUnavailable`."""
        self.timeouts_seconds.append(timeout_seconds)
        self.batches.append(list(customer_ids))
        if not self.available:
            raise ListenersUnavailable("told so")
        return [
            Listener(
                read_listener(self.features.get(customer_id, b"")),
                self.features.get(customer_id, b""),
                b"".join(map(encode_contact, self.contacts.get(customer_id, ()))),
            )
            for customer_id in customer_ids
        ]


@dataclass
class FakeBudgets:
    """Budgets in a dictionary, by campaign id. `stale`: what the policy is told is older than what is left."""

    units: dict[str, int] = field(default_factory=dict)
    stale: bool = False
    closed: BudgetState = BudgetState.SPENT

    def state(self, campaign: Campaign, _now_ms: int) -> BudgetState:
        """Open while there are units."""
        return BudgetState.OPEN if self.units[campaign.campaign_id] or self.stale else self.closed

    def take(self, campaign: Campaign, _now_ms: int) -> bool:
        """One unit, if there is one."""
        self.stale = False
        if not self.units[campaign.campaign_id]:
            return False
        self.units[campaign.campaign_id] -= 1
        return True

    def give_back(self, campaign: Campaign) -> None:
        """The unit is there again."""
        self.units[campaign.campaign_id] += 1


@dataclass
class FakeChampion:
    """Serves what it is given."""

    serving: Serving | None = None
    trial: Trial | None = None

    @property
    def roster(self) -> Roster:
        """Both."""
        return Roster(self.serving, self.trial)


@dataclass
class FakeReported:
    """Reported outcomes in a set. `available` false: Redis does not answer."""

    available: bool = True
    round_trips: int = 0
    keys: set[str] = field(default_factory=set)

    def claim(self, events: Sequence[events_pb2.AdEvent]) -> list[bool]:
        """Which were not reported yet. Raises `ReportsUnavailable`."""
        if not self.available:
            raise ReportsUnavailable("told so")
        self.round_trips += 1
        return [self._is_first(reported_key(event)) for event in events]

    def release(self, events: Sequence[events_pb2.AdEvent]) -> None:
        """They may be reported again."""
        self.keys -= {reported_key(event) for event in events}

    def _is_first(self, key: str) -> bool:
        is_first = key not in self.keys
        self.keys.add(key)
        return is_first
