"""Taking up the generation in use, and where the log goes on in it."""

import threading
from collections.abc import Sequence

import pytest
from redis.exceptions import TimeoutError as RedisTimeoutError

from interlude.features.codec import VALUES_MARK
from interlude.features.generation import (
    GENERATION_KEY,
    GENERATION_OFFSETS_KEY,
    Generation,
    encode_generation,
    encode_offsets,
)
from interlude.servicekit.errors import Unavailable
from interlude.servicekit.group_offsets import Committed
from interlude.servicekit.placing import BEGINNING, Rewind
from interlude.servicekit.records import Place
from interlude.servicekit.telemetry import Health
from services.enricher.generation import CurrentGeneration, OtherSchema

LISTENS = Place("listens", 0)
SECOND = Generation(2, VALUES_MARK, 200)
NOW_MS = 5_000


class FakeRedis:
    """Two keys in a dictionary. `is_away`: it does not answer."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self.is_away = False

    def mget(self, keys: Sequence[str]) -> list[bytes | None]:
        if self.is_away:
            raise RedisTimeoutError
        return [self.kept.get(key) for key in keys]

    def set(self, key: str, value: bytes, *, nx: bool) -> bool:
        if nx and key in self.kept:
            return False
        self.kept[key] = value
        return True

    def put(self, generation: Generation, offsets: dict[str, int] | None = None) -> None:
        """As a rebuild does."""
        self.kept[GENERATION_KEY] = encode_generation(generation)
        self.kept[GENERATION_OFFSETS_KEY] = encode_offsets(offsets or {})


class FakeGroup:
    """A group with these commits."""

    def __init__(self, committed: dict[Place, Committed] | None = None) -> None:
        self.found = committed or {}

    def places(self) -> list[Place]:
        return [LISTENS]

    def committed(self, _places: Sequence[Place]) -> dict[Place, Committed]:
        return self.found


class World:
    """One enricher that begins."""

    def __init__(self) -> None:
        self.redis = FakeRedis()
        self.adopted: list[int] = []
        self.seconds = 0.0
        self.health = Health()
        self.current = CurrentGeneration(self.redis, self.adopted.append, lambda: self.seconds)  # type: ignore[arg-type]

    def begin(self, group: FakeGroup | None = None) -> None:
        """Returns at once, whether it had to wait or not."""
        stop = threading.Event()

        class Once(Health):
            def unready(inner, missing: str) -> None:  # noqa: N805
                self.health.unready(missing)
                stop.set()

        self.current.begin(group or FakeGroup(), NOW_MS, Once(), stop)  # type: ignore[arg-type]


@pytest.fixture
def world() -> World:
    """Nothing in Redis, nothing committed."""
    return World()


def test_the_first_enricher_makes_generation_0(world: World) -> None:
    world.begin()
    assert world.redis.kept[GENERATION_KEY] == encode_generation(Generation(0, VALUES_MARK, NOW_MS))
    assert (world.current.number, world.adopted) == (0, [0])
    assert world.current.restart(LISTENS) == BEGINNING


def test_a_later_one_takes_up_what_is_there(world: World) -> None:
    world.redis.put(SECOND, {"listens/0": 70})
    world.begin(FakeGroup({LISTENS: Committed(90, SECOND.identity)}))
    assert world.current.number == 2
    assert world.current.value == encode_generation(SECOND)
    assert world.current.metadata() == "2:200"


def test_where_a_group_has_read_and_redis_knows_of_nothing_it_is_lost(world: World) -> None:
    world.begin(FakeGroup({LISTENS: Committed(1, "")}))
    assert "lost its data" in world.health.missing
    assert (world.redis.kept, world.adopted) == ({}, [])


def test_a_generation_of_another_schema_is_not_written(world: World) -> None:
    world.redis.put(SECOND._replace(schema="1.1.other"))
    world.begin()
    assert "1.1.other" in world.health.missing
    assert "enricher rebuild" in world.health.missing
    assert world.adopted == []


def test_a_running_enricher_ends_when_another_schema_comes_into_use(world: World) -> None:
    world.begin()
    world.redis.put(SECOND._replace(schema="1.1.other"))
    with pytest.raises(OtherSchema, match="enricher rebuild"):
        world.current.broken()
    with pytest.raises(OtherSchema):
        world.current.check()


def test_a_document_that_is_not_ours_is_waited_out(world: World) -> None:
    world.redis.kept[GENERATION_KEY] = b"not ours"
    world.begin()
    assert "not ours" in world.health.missing


@pytest.mark.parametrize(
    ("offset", "metadata", "start"),
    [
        (90, SECOND.identity, 90),
        (90, "1:100", 70),
        (50, "1:100", 70),
        (90, "2:199", 70),  # another second generation, before Redis lost it
        (90, "", 70),
        (None, "", 70),
    ],
)
def test_a_committed_offset_holds_in_the_generation_that_it_was_reached_in(
    world: World, offset: int | None, metadata: str, start: int
) -> None:
    world.redis.put(SECOND, {"listens/0": 70})
    world.begin()
    assert world.current.start(LISTENS, offset, metadata) == start


def test_a_partition_that_the_generation_does_not_know_begins_at_its_beginning(world: World) -> None:
    world.redis.put(SECOND, {"listens/0": 70})
    world.begin()
    assert world.current.start(Place("listens", 1), 10, "1:100") == BEGINNING


def test_a_refused_write_takes_up_the_other_generation_and_rewinds(world: World) -> None:
    world.begin()
    world.redis.put(SECOND, {"listens/0": 70})
    with pytest.raises(Rewind, match="generation 2"):
        world.current.broken()
    assert (world.current.number, world.current.restart(LISTENS), world.adopted) == (2, 70, [0, 2])


def test_a_refused_write_where_redis_knows_of_nothing_waits(world: World) -> None:
    world.begin()
    world.redis.kept.clear()
    with pytest.raises(Unavailable, match="lost its data"):
        world.current.broken()
    assert world.current.number == 0


def test_without_events_it_looks_once_a_second(world: World) -> None:
    world.begin()
    world.seconds = 10.0
    world.current.check()
    world.redis.put(SECOND)
    world.seconds = 10.9
    world.current.check()
    assert world.current.number == 0
    world.seconds = 11.0
    with pytest.raises(Rewind):
        world.current.check()
    world.seconds = 12.0
    world.current.check()
    assert world.adopted == [0, 2]


def test_a_redis_that_is_away_is_no_news_between_batches(world: World) -> None:
    world.begin()
    world.redis.is_away = True
    world.current.check()
    with pytest.raises(Unavailable):
        world.current.broken()
