"""What a front and the service say to each other: raw messages by method, and a status where there is no answer.

A front speaks gRPC and knows nothing of offers; the service knows protobuf and nothing of gRPC. Between them stands one
function: a batch of messages of one method in, one reply to each out.
"""

from collections.abc import Sequence
from enum import IntEnum
from typing import Final, NamedTuple, Protocol

from interlude.v1 import decision_pb2

_SERVICE: Final = decision_pb2.DESCRIPTOR.services_by_name["DecisionService"]
SERVICE_NAME: Final[str] = _SERVICE.full_name

METHODS: Final[tuple[str, ...]] = tuple(method.name for method in _SERVICE.methods)
"""Names of all methods; each takes one message and gives one."""


class Code(IntEnum):
    """The status codes of gRPC that the service itself ends calls with, numbered as on the wire."""

    INVALID_ARGUMENT = 3
    INTERNAL = 13
    UNAVAILABLE = 14


class Status(NamedTuple):
    """How a call ends that has no answer."""

    code: int
    message: str


Reply = bytes | tuple[int, str]
"""A response message, or a `Status`."""


class Handle(Protocol):
    """Answers a batch: `bodies` are messages of the method at `path`, `remaining_seconds` what is left of each caller's
    deadline (infinite: there is none). One reply per body, in order; never raises."""

    def __call__(self, path: str, bodies: Sequence[bytes], remaining_seconds: Sequence[float]) -> list[Reply]: ...


def path_of(method: str) -> str:
    """The method as it stands on the wire."""
    return f"/{SERVICE_NAME}/{method}"
