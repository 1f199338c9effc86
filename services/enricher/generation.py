"""Which generation of Redis this enricher writes, and what becomes of its place in the log when another comes into use."""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Final, NoReturn, cast

import redis
import structlog
from redis.exceptions import RedisError

from interlude.features.codec import VALUES_MARK
from interlude.features.generation import (
    GENERATION_KEY,
    GENERATION_OFFSETS_KEY,
    CorruptGeneration,
    Generation,
    decode_generation,
    decode_offsets,
    encode_generation,
)
from interlude.servicekit.errors import Unavailable
from interlude.servicekit.group_offsets import GroupOffsets
from interlude.servicekit.placing import BEGINNING, Rewind
from interlude.servicekit.records import Place
from interlude.servicekit.telemetry import Health

LOST: Final = (
    "Redis names no generation: it lost its data, or is of a version without; run `python -m services.enricher rebuild`"
)
_LOOK_SECONDS: Final = 1.0
"""How long an enricher without events may write on, or rather not write, in a generation that is no longer in use."""

log = structlog.get_logger()


class OtherSchema(Exception):
    """The generation in use holds values of another version of this software. They are never mixed."""

    def __init__(self, generation: Generation) -> None:
        super().__init__(
            f"generation {generation.number} is of schema {generation.schema}, this enricher writes {VALUES_MARK}; "
            "run `python -m services.enricher rebuild` with this version"
        )


class CurrentGeneration:
    """The generation in use: a `Fence` for what is written, a `Placement` for where the log goes on.

    Everything below the generation's offsets is in it, whoever applied it. An enricher that finds another one goes to those
    offsets: what it has handled beyond them is missing there, and what it handles twice is a repetition that the states' own
    offsets know. Raises `Unavailable` while Redis does not answer.
    """

    key: Final = GENERATION_KEY

    def __init__(
        self,
        client: "redis.Redis",
        on_adopted: Callable[[int], object] = lambda _number: None,
        now_seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        """`on_adopted` is told the number of each generation that is taken up."""
        self._client = client
        self._on_adopted = on_adopted
        self._now_seconds = now_seconds
        self._generation = Generation()
        self._offsets: Mapping[str, int] = {}
        self._look_due_seconds = 0.0
        self.value = b""
        """The document that must still be in use when a state is written; empty: none."""

    @property
    def number(self) -> int:
        """What the keys carry."""
        return self._generation.number

    def begin(self, group: GroupOffsets, now_ms: int, health: Health, stop: threading.Event) -> None:
        """Take up the generation in use, or make the first one where nothing was ever read. Waits outside of the group, and says
        for what, while there is none or it is of another schema."""
        while not stop.is_set():
            health.beat()
            try:
                if self._take_up() or self._make_first(group, now_ms):
                    return
                missing = LOST
            except (Unavailable, OtherSchema) as reason:
                missing = str(reason)
            if health.missing != missing:
                log.warning("waiting", reason=missing)
            health.unready(missing)
            stop.wait(_LOOK_SECONDS)

    def broken(self) -> NoReturn:
        """A write was refused because another generation is in use. Raises `Rewind` once that is taken up."""
        before = self.value
        if not self._take_up():
            raise Unavailable(LOST)
        if self.value == before:
            raise Unavailable("the generation came back")
        raise Rewind(f"generation {self.number} is in use")

    def check(self) -> None:
        """Look from time to time whether another generation is in use, and take it up. Raises `Rewind`, `OtherSchema`."""
        if self._now_seconds() < self._look_due_seconds:
            return
        self._look_due_seconds = self._now_seconds() + _LOOK_SECONDS
        before = self.value
        try:
            found = self._take_up()
        except Unavailable:
            return  # the next batch says so
        if found and self.value != before:
            raise Rewind(f"generation {self.number} is in use")

    def metadata(self) -> str:
        """What is committed beside each offset."""
        return self._generation.identity

    def start(self, place: Place, offset: int | None, metadata: str) -> int:
        """The committed offset if it was reached in this generation, else where this generation ended when it came into use."""
        if offset is not None and metadata == self._generation.identity:
            return offset
        return self.restart(place)

    def restart(self, place: Place) -> int:
        """Where this generation ended when it came into use."""
        return self._offsets.get(f"{place.topic}/{place.partition}", BEGINNING)

    def _take_up(self) -> bool:
        """Read what is in use; False where nothing is. Raises `OtherSchema`."""
        try:
            values = self._client.mget([GENERATION_KEY, GENERATION_OFFSETS_KEY])
        except RedisError as error:
            raise Unavailable(f"Redis does not read: {type(error).__name__}") from error
        document, offsets = cast("list[bytes | None]", values)
        if document is None:
            return False
        if document == self.value:
            return True
        try:
            generation, known = decode_generation(document), decode_offsets(offsets)
        except CorruptGeneration as error:
            raise Unavailable(str(error)) from error
        if generation.schema != VALUES_MARK:
            raise OtherSchema(generation)
        log.info("generation", number=generation.number)
        self._generation, self._offsets, self.value = generation, known, document
        self._on_adopted(generation.number)
        return True

    def _make_first(self, group: GroupOffsets, now_ms: int) -> bool:
        """Begin generation 0 where the group has read nothing yet; False where it has: then there was one, and it is lost."""
        if any(committed.offset > 0 for committed in group.committed(group.places()).values()):
            return False
        try:
            self._client.set(GENERATION_KEY, encode_generation(Generation(0, VALUES_MARK, now_ms)), nx=True)
        except RedisError as error:
            raise Unavailable(f"Redis does not write: {type(error).__name__}") from error
        return self._take_up()
