"""Partitions read from their beginning, never beyond bounds that move on: for tools that must not overtake a group."""

import logging
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Final

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Message, TopicPartition

from interlude.servicekit.errors import Unavailable
from interlude.servicekit.records import Place, is_end, is_error, offset_after, place_of

_ANSWER_SECONDS: Final = 10.0


class BoundedReader:
    """Reads `places` without a group. Raises `Unavailable` where Kafka does not answer."""

    def __init__(self, bootstrap: str, client_id: str, places: Sequence[Place]) -> None:
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": client_id,  # the client wants one; nothing is committed, no group is joined
                "client.id": client_id,
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
                "queued.min.messages": 50_000,
            },
            logger=logging.getLogger("kafka"),
        )
        self._held: dict[Place, deque[Message]] = {place: deque() for place in places}
        """Records beyond the bounds; of each partition little more than one answer of Kafka, then it is paused."""
        self._bounds: dict[Place, int] = {}
        self._reached: dict[Place, int] = {}
        self.begins: dict[Place, int] = {}
        """The first offset that Kafka still has of each partition."""
        try:
            for place in places:
                low, _ = self._consumer.get_watermark_offsets(TopicPartition(*place), timeout=_ANSWER_SECONDS)
                self.begins[place] = self._reached[place] = self._bounds[place] = low
            starts = [TopicPartition(*place, OFFSET_BEGINNING) for place in places]
            self._consumer.assign(starts)
            self._consumer.pause(starts)  # nothing is fetched, and held, before there is a bound for it
        except KafkaException as error:
            raise Unavailable(f"Kafka at {bootstrap} does not answer: {error.args[0].str()}") from error

    def extend(self, bounds: Mapping[Place, int]) -> None:
        """Read on up to these offsets, which are not read themselves. A bound never moves back."""
        for place, bound in bounds.items():
            if bound > self._bounds[place]:
                self._bounds[place] = bound
                if not self._held[place]:
                    self._consumer.resume([TopicPartition(*place)])

    @property
    def remaining(self) -> int:
        """Offsets up to the bounds that were not read yet."""
        return sum(max(0, bound - self._reached[place]) for place, bound in self._bounds.items())

    @property
    def ends(self) -> dict[Place, int]:
        """By partition the offset before which everything was read."""
        return {place: min(bound, self._reached[place]) for place, bound in self._bounds.items()}

    def read(self, most: int, timeout_seconds: float) -> list[Message]:
        """At most some `most` records below the bounds, in the order of each partition; none where none came in time."""
        records = self._release(most)
        if records:
            return records
        for record in self._consumer.consume(most, timeout_seconds):
            if is_end(record):
                self._end(place_of(record), record.offset() or 0)
            elif not is_error(record):
                self._sort(record, records)
        return records

    def close(self) -> None:
        """Ends the connection."""
        self._consumer.close()

    def _end(self, place: Place, offset: int) -> None:
        if not self._held[place]:  # else what is held is still to be read
            self._reached[place] = max(self._reached[place], offset)

    def _sort(self, record: Message, within: list[Message]) -> None:
        place = place_of(record)
        if self._held[place] or (record.offset() or 0) >= self._bounds[place]:
            if not self._held[place]:
                self._consumer.pause([TopicPartition(*place)])
            self._held[place].append(record)
            # All before it was read: offsets that are missing were compacted away.
            self._reached[place] = max(self._reached[place], self._held[place][0].offset() or 0)
        else:
            within.append(record)
            self._reached[place] = offset_after(record)

    def _release(self, most: int) -> list[Message]:
        records: list[Message] = []
        for place, held in self._held.items():
            if not held:
                continue
            while held and len(records) < most and (held[0].offset() or 0) < self._bounds[place]:
                records.append(held.popleft())
                self._reached[place] = offset_after(records[-1])
            if not held:
                self._consumer.resume([TopicPartition(*place)])
            else:
                self._reached[place] = max(self._reached[place], held[0].offset() or 0)
        return records
