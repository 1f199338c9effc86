"""How requests end: written down first, then told."""

from collections.abc import Callable, Mapping
from typing import Protocol

from interlude.contacts.campaign import Campaign, Campaigns
from services.sms.journal import Entry, RequestKey, SentText, Status, key_of
from services.sms.metrics import SmsMetrics
from services.sms.policy import Reason, TextRequest


class CurrentCampaigns(Protocol):
    """The campaigns that hold now; others may hold at the next call."""

    @property
    def current(self) -> Campaigns: ...


class EventOutbox(Protocol):
    """Queues events for Kafka; tells whether an event is new."""

    def put_event(self, sent: SentText, status: Status, reason: Reason, at_ms: int, message_id: str = "") -> bool: ...


class JournalOfEnds(Protocol):
    """Where ends are kept. Raises `Unavailable`."""

    def write(self, ends: Mapping[RequestKey, tuple[TextRequest, Entry]]) -> None: ...


class Refunds(Protocol):
    """Takes back a unit of a campaign's budget."""

    def give_back(self, campaign: Campaign) -> None: ...


class Endings:
    """Ends that are known, and not yet in the journal: Redis may go away right after the operator answered."""

    def __init__(
        self,
        journal: JournalOfEnds,
        outbox: EventOutbox,
        campaigns: CurrentCampaigns,
        refunds: Refunds,
        metrics: SmsMetrics,
        now_ms: Callable[[], int],
    ) -> None:
        self._journal = journal
        self._outbox = outbox
        self._campaigns = campaigns
        self._refunds = refunds
        self._metrics = metrics
        self._now_ms = now_ms
        self._unwritten: dict[RequestKey, tuple[TextRequest, Entry]] = {}

    def __contains__(self, request: TextRequest) -> bool:
        """Whether it has ended and that is not written yet."""
        return key_of(request) in self._unwritten

    def add(
        self, request: TextRequest, status: Status, reason: Reason, accepted_at_ms: int, message_id: str = ""
    ) -> None:
        """`request` has ended now. `accepted_at_ms`: when it got the right to be sent, 0 if it never did."""
        entry = Entry(status, reason, accepted_at_ms, self._now_ms(), message_id.encode())
        self._unwritten[key_of(request)] = (request, entry)

    def settle(self) -> None:
        """Write down how requests ended, then tell. The other way round a crash in between would tell two stories. Raises
        `Unavailable`; then nothing is lost, and it may be called again."""
        if not self._unwritten:
            return
        self._journal.write(self._unwritten)
        ends, self._unwritten = self._unwritten, {}
        for request, entry in ends.values():
            self._metrics.requests.labels(entry.status.name.lower(), entry.reason.name.lower()).inc()
            campaign = self._campaigns.current.find(request.campaign_id)
            if campaign is not None and entry.reason is Reason.OPERATOR_REFUSED:
                self._refunds.give_back(campaign)
            self.tell(request, entry)

    def tell(self, request: TextRequest, entry: Entry) -> bool:
        """Queue the events of a request that ended; False when that was done for this batch already."""
        if entry.accepted_at_ms:
            self.tell_accepted(request, entry.accepted_at_ms)
        return self._outbox.put_event(_named(request), entry.status, entry.reason, entry.at_ms, entry.note.decode())

    def tell_accepted(self, request: TextRequest, at_ms: int) -> None:
        """Queue the event of a request that may be sent."""
        self._outbox.put_event(_named(request), Status.ACCEPTED, Reason.NONE, at_ms)


def _named(request: TextRequest) -> SentText:
    return SentText(request.customer_id, request.campaign_id, request.request_id)
