"""What the two fronts have in common: their limits, and how they are started and stopped."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Protocol

BATCH_LIMIT: Final = 64
"""Calls answered together; with more, the first of them would wait for the last."""

REQUEST_BYTES_LIMIT: Final = 256 * 1024
"""A full batch of one caller has some 50 KB."""

QUEUE_LIMIT_MS: Final = 20
"""While the oldest call has waited this long, new ones are refused: they would be answered after their callers have gone on."""

RETRY_AFTER_MS: Final = 100
"""`RetryInfo` of every refusal for overload: by then a burst is over, and a player still has time before its track."""

CONNECTION_AGE_MS: Final = 30 * 60 * 1000
"""A player that stays connected for hours finds replicas that came later; calls in progress end first."""


NO_ECHOES: Final[Mapping[str, bytes]] = MappingProxyType({})
"""Fronts take `echoes`, paths beside the service's that are answered with fixed bytes: what a front costs by itself."""


class PortTaken(Exception):
    """The address to listen on is not free."""


class Front(Protocol):
    """A gRPC server that reports SERVING while it answers, and NOT_SERVING once it is told to stop."""

    @property
    def in_flight(self) -> int:
        """Calls that have arrived and have no answer yet."""

    @property
    def alive(self) -> bool:
        """Whether its threads run: one that has ended does not come back."""

    def counters(self) -> Mapping[str, int]:
        """What has become of the calls since the start, by the names of native/README.md; those that this front can see."""

    def start(self) -> None:
        """Begin to answer. Raises `PortTaken`."""

    def stop(self, grace_seconds: float) -> None:
        """Take no new calls, let those in progress end within `grace_seconds`."""
