"""Which listen is due when, and whose it is: the one who plays and the one who watches know it without talking."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from hashlib import blake2b
from typing import Any, Final

from interlude.v1 import events_pb2 as pb

TRACKS: Final = 200
_FAVOURED_EVERY: Final = 8
"""Of so many listens one is of the listener's favourite track, by chance: now and then one is played three times in half an hour,
as in earnest. How often is counted (`SideBySide.interests`)."""
_SECOND_NS: Final = 1_000_000_000
_MS_NS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Schedule:
    """`listens` listens at even distances, of `customers` customers in turn, the first `warm_up` of which are not measured.

    `began_ns` is a time of the monotonic clock, which all processes of a machine share; `began_ms` is the same instant in
    epoch ms."""

    first_customer: int
    customers: int
    per_second: int
    listens: int
    warm_up: int
    began_ns: int
    began_ms: int

    def due_ns(self, number: int) -> int:
        """When listen `number` (from 0) is to be produced, on the monotonic clock."""
        return self.began_ns + number * _SECOND_NS // self.per_second

    def played_at_ms(self, number: int) -> int:
        """The event time of listen `number`: when it is due."""
        return self.began_ms + number * _SECOND_NS // self.per_second // _MS_NS

    def customer_of(self, number: int) -> int:
        """Whose listen it is."""
        return self.first_customer + number % self.customers

    def numbers_of(self, customer_id: int) -> Iterator[int]:
        """That customer's listens, in the order of their times."""
        return iter(range(customer_id - self.first_customer, self.listens, self.customers))

    def listen(self, number: int) -> pb.Listen:
        """Listen `number` as a player reports it."""
        customer_id = self.customer_of(number)
        return pb.Listen(
            event_id=f"freshness/{self.began_ms}/{number}",
            customer_id=customer_id,
            track_id=self._track_of(number),
            played_at_ms=self.played_at_ms(number),
            device=pb.DEVICE_MOBILE if number % 3 else pb.DEVICE_PC,
            postal_code="72132",
            utc_offset_minutes=-300,
        )

    def _track_of(self, number: int) -> int:
        chance = int.from_bytes(blake2b(b"%d" % number, digest_size=8).digest())
        return (self.customer_of(number) if chance % _FAVOURED_EVERY == 0 else chance) % TRACKS

    def to_json(self) -> dict[str, Any]:
        """Its fields, by name."""
        return asdict(self)
