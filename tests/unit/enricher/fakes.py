"""Stand-ins for Redis and Kafka that write down, in one journal, what happened in which order."""

from collections.abc import Callable, Mapping, Sequence

from confluent_kafka import Message

from interlude.events.errors import InvalidEvent
from interlude.features.codec import encode_hot, encode_state
from interlude.features.state import ListenerState
from interlude.servicekit.errors import Unavailable
from services.enricher.folding import FoldedArrivals
from services.enricher.outbox import to_event
from services.enricher.store import Change


class FakeStates:
    """States in memory, written only where they are still what was read. `failing` names the calls that do not answer."""

    def __init__(self, journal: list[str]) -> None:
        self.kept: dict[int, ListenerState] = {}
        self.failing: set[str] = set()
        self.before_write: Callable[[], None] = lambda: None
        self.written_before_failing = 0
        self._journal = journal

    def read(self, customer_ids: Sequence[int]) -> dict[int, ListenerState]:
        self._enter("read")
        return {customer_id: self.kept.get(customer_id, ListenerState()) for customer_id in customer_ids}

    def write(self, changes: Mapping[int, Change]) -> list[int]:
        self.before_write()
        if "write" in self.failing:
            for customer_id, change in list(changes.items())[: self.written_before_failing]:
                self.kept[customer_id] = change.after
        self._enter("write")
        refused = []
        for customer_id, change in changes.items():
            if self.kept.get(customer_id, ListenerState()) == change.before:
                self.kept[customer_id] = change.after
            else:
                refused.append(customer_id)
        return refused

    def as_bytes(self) -> dict[int, tuple[bytes, bytes]]:
        """What Redis would hold."""
        return {customer_id: (encode_state(state), encode_hot(state)) for customer_id, state in self.kept.items()}

    def _enter(self, call: str) -> None:
        if call in self.failing:
            raise Unavailable("Redis")
        self._journal.append(call)


class FakeOutbox:
    """Records what was told, and counts it as told only from the flush on."""

    def __init__(self, journal: list[str]) -> None:
        self.interest_ids: list[str] = []
        self.dead_letters: list[tuple[int | None, str]] = []
        self.is_failing = False
        self._journal = journal
        self._queued_ids: list[str] = []
        self._queued_letters: list[tuple[int | None, str]] = []

    def put_dead_letter(self, record: Message, reason: InvalidEvent) -> None:
        self._journal.append("dead letter")
        self._queued_letters.append((record.offset(), str(reason)))

    def put_interests(self, customer_id: int, folded: FoldedArrivals) -> None:
        self._journal.append("interests")
        self._queued_ids += [to_event(customer_id, interest).interest_id for interest in folded.interests]

    def flush(self) -> None:
        if self.is_failing:
            raise Unavailable("Kafka")
        self._journal.append("flush")
        self.interest_ids += self._queued_ids
        self.dead_letters += self._queued_letters
        self._queued_ids, self._queued_letters = [], []
