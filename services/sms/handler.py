"""One batch, from Kafka records to text messages."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from confluent_kafka import Message

from interlude.events.errors import InvalidEvent
from interlude.events.reading import content_type_of, parse
from interlude.events.topics import Topic
from interlude.events.validation import check_customer, check_key, check_sms_request, customer_id_of
from interlude.features.state import Erasure, Level
from interlude.servicekit.dead_letter_limit import DeadLetterLimit
from interlude.servicekit.errors import Unavailable
from interlude.v1 import events_pb2 as pb
from services.sms.journal import RequestKey, key_of
from services.sms.metrics import SmsMetrics
from services.sms.policy import TextProfile, TextRequest

TOPICS: Final = (Topic.CUSTOMERS, Topic.SMS_REQUESTS)
_TURN_LIMIT_SECONDS: Final = 30.0
"""After this long in one batch the consumer must be heard of again, or it loses its partitions."""

ProfileChange = tuple[int, TextProfile | Erasure | None]


class Directory(Protocol):
    """Takes in profiles."""

    def apply(self, changes: Sequence[ProfileChange]) -> None: ...


class Seal(Protocol):
    """Encrypts phone numbers."""

    def close(self, customer_id: int, phone: str) -> bytes: ...


class RequestDispatcher(Protocol):
    """Ends requests."""

    def dispatch(self, requests: Sequence[TextRequest]) -> None: ...


class Outbox(Protocol):
    """What goes to Kafka before a batch counts as handled."""

    def put_dead_letter(self, record: Message, reason: InvalidEvent) -> None: ...

    def flush(self) -> None: ...


class SmsHandler:
    """Handles a batch: first what is known of customers, then what is asked for. `window` requests at a time."""

    def __init__(
        self,
        *,
        directory: Directory,
        seal: Seal,
        dispatcher: RequestDispatcher,
        outbox: Outbox,
        metrics: SmsMetrics,
        limit: DeadLetterLimit,
        now_ms: Callable[[], int],
        window: int,
        now_seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._directory = directory
        self._seal = seal
        self._dispatcher = dispatcher
        self._outbox = outbox
        self._metrics = metrics
        self._limit = limit
        self._now_ms = now_ms
        self._window = window
        self._now_seconds = now_seconds

    def handle(self, batch: Sequence[Message]) -> None:
        """1. decode; 2. take in profiles; 3. end the requests, a window at a time; 4. wait until Kafka has the events.

        Raises `Unavailable`; the same batch again then goes on where this one stopped. `TooManyDeadLetters` comes before anything
        of the batch is done.
        """
        end_seconds = self._now_seconds() + _TURN_LIMIT_SECONDS
        changes, requests, rejected = self._decode(batch)
        tally = self._limit.check(Counter(record.topic() or "" for record in batch), rejected)
        for record, reason in rejected:
            self._outbox.put_dead_letter(record, reason)
        self._directory.apply(changes)
        waiting = list(requests.values())
        for start in range(0, len(waiting), self._window):
            if self._now_seconds() > end_seconds:
                raise Unavailable("the SMS operator is slow")
            self._dispatcher.dispatch(waiting[start : start + self._window])
        self._outbox.flush()
        self._limit.add(tally)
        self._metrics.profiles.inc(len(changes))

    def _decode(
        self, batch: Sequence[Message]
    ) -> tuple[list[ProfileChange], dict[RequestKey, TextRequest], list[tuple[Message, InvalidEvent]]]:
        """Profiles in their order, requests, each once, and the records that cannot be taken."""
        now_ms = self._now_ms()
        changes: list[ProfileChange] = []
        requests: dict[RequestKey, TextRequest] = {}
        rejected: list[tuple[Message, InvalidEvent]] = []
        for record in batch:
            try:
                if record.topic() == Topic.CUSTOMERS:
                    changes.append(self._read_customer(record, now_ms))
                else:
                    request = _read_request(record, now_ms)
                    requests.setdefault(key_of(request), request)
            except InvalidEvent as reason:
                rejected.append((record, reason))
        return changes, requests, rejected

    def _read_customer(self, record: Message, now_ms: int) -> ProfileChange:
        value = record.value()
        if value is None:
            return customer_id_of(record.key()), None
        customer = parse(pb.Customer, value, content_type_of(record.headers()))
        check_customer(customer, now_ms)
        check_key(record.key(), customer.customer_id)
        if customer.erased_at_ms:
            return customer.customer_id, Erasure(customer.erased_at_ms)
        return customer.customer_id, TextProfile(
            updated_at_ms=customer.updated_at_ms,
            level=Level(customer.level),
            active=customer.active,
            consent_sms=customer.consent_sms,
            sealed_phone=self._seal.close(customer.customer_id, customer.phone),
        )


def _read_request(record: Message, now_ms: int) -> TextRequest:
    request = parse(pb.SmsRequest, record.value() or b"", content_type_of(record.headers()))
    check_sms_request(request, now_ms)
    check_key(record.key(), request.customer_id)
    return TextRequest(request.request_id, request.customer_id, request.campaign_id, request.expires_at_ms)
