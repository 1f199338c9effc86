"""The loop on a store of its own: what each round does, whatever ended the round before."""

import itertools
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from interlude.features.schema import SCHEMA_VERSION
from interlude.models.store import Champion, ModelStore, Stage
from interlude.v1 import decision_pb2 as pb
from services.trainer.loop import Loop, Trained, every
from services.trainer.looping import seconds_of, train_arguments
from services.trainer.trial import Rules
from tests.models import GENEROUS, KEYS, STINGY, ModelSpec, publish

_MINUTE_MS = 60_000
_RULES = Rules(
    shadow_ms=10 * _MINUTE_MS,
    canary_ms=10 * _MINUTE_MS,
    longest_ms=60 * _MINUTE_MS,
    probation_ms=30 * _MINUTE_MS,
    share=0.5,
    control_share=0.2,
    decisions=50,
)


class _Log:
    """Decisions that a test puts there."""

    def __init__(self) -> None:
        self.logged: list[pb.DecisionLogged] = []
        self.clicked: set[str] = set()
        self._ids = itertools.count()

    def add(self, version: str, count: int, *, shown: bool, clicks: int = 0, score: float = 0.9) -> None:
        for place in range(count):
            number = next(self._ids)
            response = pb.DecideResponse(show=shown, model_version=version, score=score)
            self.logged.append(
                pb.DecisionLogged(
                    decision_id=str(number),
                    request=pb.DecideRequest(customer_id=number),
                    response=response,
                    features=[0.0] * 6,
                    schema_version=SCHEMA_VERSION,
                    threshold=0.5,
                )
            )
            if place < clicks:
                self.clicked.add(str(number))

    def decisions(self, since_ms: int) -> Iterator[pb.DecisionLogged]:
        assert since_ms > 0
        return iter(self.logged)

    def clicks(self, since_ms: int) -> set[str]:
        assert since_ms > 0
        return self.clicked


class _World:
    def __init__(self, directory: Path) -> None:
        self.store, self.log, self.later_ms = ModelStore(str(directory)), _Log(), 0
        self.next_version = ""
        self.trainings = 0
        self.loop = Loop(self.store, KEYS.model_public_key, self.log, self._train, _RULES, self._now_ms)

    def round(self, minutes_later: float = 0) -> dict[str, Any]:
        self.later_ms += round(minutes_later * _MINUTE_MS)
        return self.loop.round()

    def _train(self) -> Trained:
        self.trainings += 1
        return Trained(self.next_version, {"rows": 1})

    def _now_ms(self) -> int:
        pointer = self.store.champion()
        assert pointer is not None
        assert pointer.candidate is not None
        return pointer.candidate.since_ms + self.later_ms


@pytest.fixture
def world(tmp_path: Path) -> _World:
    return _World(tmp_path)


def _with_champion_and_candidate(world: _World) -> tuple[str, str]:
    first, second = publish(world.store), publish(world.store, ModelSpec(GENEROUS - 1))
    for world.next_version in (first, second):
        world.round()
    return first, second


def test_the_first_model_serves_at_once_and_the_next_is_tried(world: _World) -> None:
    first, second = _with_champion_and_candidate(world)
    pointer = world.store.champion()
    assert pointer is not None
    assert pointer.candidate is not None
    assert (pointer.version, pointer.candidate.version, pointer.candidate.stage) == (first, second, Stage.SHADOW)


def test_what_the_gate_refuses_and_what_came_out_before_change_nothing(world: _World) -> None:
    assert world.round()["version"] is None
    assert world.store.champion() is None
    world.next_version = first = publish(world.store)
    world.round()
    world.next_version = publish(world.store, ModelSpec(manifest_changes={"trained_at_ms": 1_800_000_000_000}))
    assert world.next_version != first
    assert "same model" in world.round()["sentence"]
    assert world.store.champion() == Champion(first)


def test_a_good_candidate_goes_from_shadow_to_canary_to_champion_and_nothing_is_trained_meanwhile(
    world: _World,
) -> None:
    first, second = _with_champion_and_candidate(world)
    world.log.add(first, 100, shown=True)
    assert world.round()["step"] == "wait"
    assert world.round(10)["step"] == "canary"
    pointer = world.store.champion()
    assert pointer is not None
    assert pointer.candidate is not None
    assert (pointer.candidate.stage, pointer.candidate.share) == (Stage.CANARY, 0.5)
    world.later_ms = 0
    world.log.add(first, 900, shown=True, clicks=100)
    world.log.add(second, 1000, shown=True, clicks=130)
    assert world.round()["step"] == "wait"
    report = world.round(10)
    assert report["step"] == "promote"
    assert report["candidate_side"]["clicks"] == 130
    pointer = world.store.champion()
    assert pointer is not None
    assert (pointer.version, pointer.previous) == (second, first)
    assert world.trainings == 2
    assert [move.reason for move in world.store.moves()][1:] == [
        "It would show 100.00% of 100 decisions, the champion 100.00%.",
        "passed the gate",
        "the first champion",
    ]


def _promoted(world: _World) -> tuple[str, str]:
    """First and second champion, the second on probation; the log is empty."""
    first, second = _with_champion_and_candidate(world)
    world.round(10)
    world.later_ms = 0
    world.log.add(first, 1000, shown=True, clicks=100)
    world.log.add(second, 1000, shown=True, clicks=130)
    assert world.round(10)["step"] == "promote"
    world.log.logged.clear()
    world.later_ms = 0
    return first, second


def test_a_new_champion_is_compared_with_the_one_before_until_it_is_confirmed(world: _World) -> None:
    first, second = _promoted(world)
    pointer = world.store.champion()
    assert pointer is not None
    assert pointer.candidate is not None
    assert (pointer.version, pointer.candidate.version) == (second, first)
    assert (pointer.candidate.stage, pointer.candidate.share) == (Stage.CONTROL, 0.2)
    world.log.add(second, 800, shown=True, clicks=80)
    world.log.add(first, 200, shown=True, clicks=20)
    report = world.round(29)
    assert (report["step"], report["candidate_side"]["clicks"]) == ("wait", 20)
    assert world.round(1)["step"] == "confirm"
    assert world.store.champion() == Champion(second, first)
    assert world.trainings == 2


def test_a_new_champion_that_is_clicked_less_is_taken_back_and_does_not_come_again_by_itself(world: _World) -> None:
    first, second = _promoted(world)
    world.log.add(second, 8000, shown=True, clicks=400)
    world.log.add(first, 2000, shown=True, clicks=200)
    report = world.round()
    assert report["step"] == "take_back"
    assert "It is worse" in report["sentence"]
    restored = Champion(first, second, barred=(second,))
    assert world.store.champion() == restored
    assert world.store.moves()[0].reason == report["sentence"]
    again = ModelSpec(GENEROUS - 1, manifest_changes={"trained_at_ms": 1_800_000_000_000})
    world.next_version = publish(world.store, again)
    assert "taken back" in world.round()["sentence"]
    assert world.store.champion() == restored
    world.next_version = publish(world.store, ModelSpec(GENEROUS - 2))
    assert "is tried in shadow" in world.round()["sentence"]


def test_what_a_person_does_on_probation_stays(world: _World) -> None:
    first, second = _promoted(world)
    assert world.store.rollback() == Champion(first, second)
    world.next_version = first
    assert "same model" in world.round()["sentence"]
    assert world.store.champion() == Champion(first, second)


def test_a_canary_that_is_clicked_less_is_withdrawn(world: _World) -> None:
    first, second = _with_champion_and_candidate(world)
    world.round(10)
    world.log.add(first, 1000, shown=True, clicks=200)
    world.log.add(second, 1000, shown=True, clicks=100)
    assert world.round()["step"] == "withdraw"
    assert world.store.champion() == Champion(first)


def test_a_shadow_that_would_show_nothing_is_withdrawn(world: _World) -> None:
    first, mute = publish(world.store), publish(world.store, ModelSpec(STINGY))
    for world.next_version in (first, mute):
        world.round()
    world.log.add(first, 100, shown=True)
    report = world.round(10)
    assert (report["step"], report["candidate_side"]["shown"]) == ("withdraw", 0)
    assert world.store.champion() == Champion(first)


def test_rounds_end_with_their_number_or_when_told() -> None:
    stop = threading.Event()
    assert list(every(0.001, 3, stop)) == [1, 2, 3]
    numbers = every(60, 0, stop)
    assert next(numbers) == 1
    stop.set()
    assert list(numbers) == []


def test_durations_are_read_with_their_unit() -> None:
    assert [seconds_of(text) for text in ("30s", "15m", "1.5h", "2d")] == [30, 900, 5400, 172_800]
    for text in ("", "15", "m", "-3m", "15 m"):
        with pytest.raises(Exception, match="is no duration"):
            seconds_of(text)


def test_a_round_trains_and_does_not_promote() -> None:
    assert train_arguments(["--", "train", "--rows", "impressions", "--campaign", "x"]).campaign == "x"
    for words in ([], ["--"], ["promote", "x"]):
        with pytest.raises(ValueError, match="comes what each round trains"):
            train_arguments(words)
    with pytest.raises(ValueError, match="promotes what proved itself"):
        train_arguments(["train", "--rows", "impressions", "--promote"])
