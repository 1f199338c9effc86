"""The pointer under many hands: no move is lost, and a mover that is killed leaves a store that anybody can go on with."""

import multiprocessing
import os
import random
import signal
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from devstack.keys import Keys
from interlude.models.files import StoreFiles
from interlude.models.manifest import RefusedModel
from interlude.models.store import Candidate, Champion, ModelStore, Stage
from tests.models import KEYS, STINGY, ModelSpec, publish

_MOVERS = 4
_MOVES_EACH = 25
_KILLS = 50
_FRESH = multiprocessing.get_context("forkserver")
_FRESH.set_forkserver_preload([__name__])  # or each of many processes would import all of it anew


@pytest.fixture(params=["directory", "object store"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ModelStore:
    """An empty store, on disk and behind fsspec's in-memory object store."""
    return ModelStore(str(tmp_path) if request.param == "directory" else f"memory://{uuid.uuid4().hex}")


def _refusal(call: Callable[[], object]) -> str:
    with pytest.raises(RefusedModel) as caught:
        call()
    return caught.value.problem


def test_a_candidate_is_tried_promoted_and_remembered_in_one_document(store: ModelStore) -> None:
    first, second = publish(store), publish(store, ModelSpec(STINGY))
    assert "promote one" in _refusal(lambda: store.try_out(second, Stage.SHADOW, 0))
    store.promote(first)
    assert "is the champion" in _refusal(lambda: store.try_out(first, Stage.SHADOW, 0))
    assert "not in the store" in _refusal(lambda: store.try_out("0" * 16, Stage.SHADOW, 0))
    store.try_out(second, Stage.SHADOW, 0)
    tried = store.try_out(second, Stage.CANARY, 0.1, "shadowed long enough")
    candidate = tried.candidate
    assert candidate is not None
    assert (candidate.version, candidate.stage, candidate.share) == (second, Stage.CANARY, 0.1)
    assert store.champion() == tried == Champion(first, "", candidate)
    assert store.promote_candidate(candidate, "as good") == Champion(second, first) == store.champion()
    assert "not the candidate any more" in _refusal(lambda: store.promote_candidate(candidate, "again"))
    assert store.rollback() == Champion(first, second)
    assert [move.reason for move in store.moves()] == [
        "rolled back", "as good", "shadowed long enough", "tried out", "promoted",
    ]  # fmt: skip
    assert [move.champion.serial for move in store.moves()] == [5, 4, 3, 2, 1]


def test_a_withdrawn_candidate_leaves_the_champion_as_it_was(store: ModelStore) -> None:
    first, second = publish(store), publish(store, ModelSpec(STINGY))
    assert "no champion" in _refusal(store.withdraw)
    store.promote(first)
    store.try_out(second, Stage.CANARY, 0.5)
    assert store.withdraw("clicked less") == Champion(first)
    assert store.withdraw("once more") == Champion(first)
    assert [move.reason for move in store.moves()] == ["clicked less", "tried out", "promoted"]


def test_a_verdict_on_one_candidate_says_nothing_of_another(store: ModelStore) -> None:
    first, second, third = publish(store), publish(store, ModelSpec(STINGY)), publish(store, ModelSpec(intercept=0.5))
    store.promote(first)
    judged = store.try_out(second, Stage.CANARY, 0.1).candidate
    assert judged is not None
    other = store.try_out(third, Stage.CANARY, 0.1)
    for act in (
        lambda: store.withdraw("worse", judged),
        lambda: store.try_out(second, Stage.CANARY, 0.5, instead_of=judged),
        lambda: store.promote_candidate(judged, "as good"),
    ):
        assert "not the candidate any more" in _refusal(act)
    assert store.champion() == other
    assert other.candidate is not None
    assert store.withdraw("worse", other.candidate) == Champion(first)


def test_promotion_and_rollback_end_a_trial(store: ModelStore) -> None:
    first, second, third = publish(store), publish(store, ModelSpec(STINGY)), publish(store, ModelSpec(intercept=0.5))
    store.promote(first)
    store.promote(second)
    store.try_out(third, Stage.CANARY, 0.5)
    assert store.rollback() == Champion(first, second)
    store.try_out(third, Stage.CANARY, 0.5)
    assert store.promote(second) == Champion(second, first)
    store.try_out(third, Stage.CANARY, 0.5)
    assert store.promote(second) == Champion(second, first)


def test_a_champion_on_probation_is_taken_back_by_name_and_comes_again_only_by_name(store: ModelStore) -> None:
    first, second = publish(store), publish(store, ModelSpec(STINGY))
    store.promote(first)
    canary = store.try_out(second, Stage.CANARY, 0.1).candidate
    assert canary is not None
    control = store.promote_candidate(canary, "as good", control_share=0.2).candidate
    assert control is not None
    assert (control.version, control.stage, control.share) == (first, Stage.CONTROL, 0.2)
    taken_back = Champion(first, second, barred=(second,))
    assert store.take_back(control, "worse") == taken_back == store.champion()
    assert "taken back on probation" in _refusal(store.rollback)
    assert "not the candidate any more" in _refusal(lambda: store.take_back(control, "worse"))
    assert store.promote(second) == Champion(second, first) == store.champion()


def test_a_person_who_moves_on_probation_wins(store: ModelStore) -> None:
    first, second, third = publish(store), publish(store, ModelSpec(STINGY)), publish(store, ModelSpec(intercept=0.5))

    def control() -> Candidate:
        store.promote(first)
        canary = store.try_out(second, Stage.CANARY, 0.1).candidate
        assert canary is not None
        control = store.promote_candidate(canary, "as good", control_share=0.2).candidate
        assert control is not None
        return control

    def moved(judged: Candidate, expected: Champion) -> None:
        assert "not the candidate any more" in _refusal(lambda: store.take_back(judged, "worse"))
        assert "not the candidate any more" in _refusal(lambda: store.withdraw("fine", judged))
        assert store.champion() == expected

    judged = control()
    store.rollback()
    moved(judged, Champion(first, second))
    judged = control()
    store.promote(second)
    moved(judged, Champion(second, first))
    judged = control()
    store.promote(third)
    moved(judged, Champion(third, second))


def test_barred_versions_that_do_not_read_are_refused(tmp_path: Path) -> None:
    for barred in ('"x"', "[1]", "{}", "null"):
        (tmp_path / "champion.json").write_text(f'{{"version": "a", "previous": "", "barred": {barred}}}')
        assert "does not read" in _refusal(ModelStore(str(tmp_path)).champion)


def test_a_move_that_was_begun_is_finished_by_whoever_moves_next(tmp_path: Path) -> None:
    store = ModelStore(str(tmp_path))
    first, second = publish(store), publish(store, ModelSpec(STINGY))
    store.promote(first)
    head = (tmp_path / "champion.json").read_bytes()
    store.promote(second)
    (tmp_path / "champion.json").write_bytes(head)  # as if killed between the record and the pointer
    assert store.champion() == Champion(first)
    assert store.rollback() == Champion(first, second)
    assert [move.champion.serial for move in store.moves()] == [3, 2, 1]


def test_a_pointer_put_there_by_hand_is_what_the_next_move_begins_with(tmp_path: Path) -> None:
    store = ModelStore(str(tmp_path))
    first, second = publish(store), publish(store, ModelSpec(STINGY))
    for version in (first, second, first):
        store.promote(version)
    (tmp_path / "champion.json").write_text(f'{{"version": "{second}", "previous": ""}}')
    moved = store.promote(first)
    assert (moved, moved.serial) == (Champion(first, second), 4)


def test_of_several_creators_one_has_created(tmp_path: Path) -> None:
    for files in (StoreFiles(str(tmp_path)), StoreFiles(f"memory://{uuid.uuid4().hex}")):
        assert files.create("moves/1.json", b"mine")
        assert not files.create("moves/1.json", b"theirs")
        assert files.read("moves/1.json") == b"mine"


def _move_about(url: str, versions: list[str], seed: int) -> None:
    store, chance = ModelStore(url), random.Random(seed)
    for _ in range(_MOVES_EACH):
        current = store.champion()
        assert current is not None
        others = [version for version in versions if version != current.version]
        store.promote(chance.choice(others))


def test_moves_of_several_processes_follow_one_another(tmp_path: Path) -> None:
    store = ModelStore(str(tmp_path))
    versions = [publish(store, ModelSpec(intercept=number / 10)) for number in range(3)]
    store.promote(versions[0])
    movers = [_FRESH.Process(target=_move_about, args=(str(tmp_path), versions, seed)) for seed in range(_MOVERS)]
    for mover in movers:
        mover.start()
    for mover in movers:
        mover.join(60)
    assert [mover.exitcode for mover in movers] == [0] * _MOVERS
    moves = [move.champion for move in reversed(store.moves())]
    assert [champion.serial for champion in moves] == list(range(1, len(moves) + 1))
    assert [champion.previous for champion in moves[1:]] == [champion.version for champion in moves[:-1]]
    assert store.champion() == moves[-1]


def _publish_and_promote_for_ever(url: str, keys: Keys, seed: int) -> None:
    store, chance = ModelStore(url), random.Random(seed)
    while True:
        version = publish(store, ModelSpec(intercept=chance.random()), keys)
        current = store.champion()
        if current is not None and chance.random() < 0.5 and current.version != version:
            store.try_out(version, Stage.CANARY, 0.1)
        else:
            store.promote(version)


def test_a_kill_at_any_point_leaves_a_store_that_reads_and_moves_on(tmp_path: Path) -> None:
    store, chance = ModelStore(str(tmp_path)), random.Random(11)
    store.promote(publish(store))
    for kill in range(_KILLS):
        writer = _FRESH.Process(target=_publish_and_promote_for_ever, args=(str(tmp_path), KEYS, kill))
        writer.start()
        before = store.champion()
        while store.champion() == before and writer.is_alive():
            time.sleep(0.001)  # until it is at work
        time.sleep(chance.random() * 0.02)
        assert writer.pid is not None
        os.kill(writer.pid, signal.SIGKILL)
        writer.join(10)
        _check(store)
    assert store.rollback().version  # the lock of the dead is not held
    _check(store)


def _check(store: ModelStore) -> None:
    champion = store.champion()
    assert champion is not None
    for version in (champion.version, champion.previous, champion.candidate.version if champion.candidate else ""):
        assert not version or store.load(version, KEYS.model_public_key).version == version
    serials = [move.champion.serial for move in store.moves()]
    assert serials == list(range(len(serials), 0, -1))
    assert champion.serial in (serials[0], serials[0] - 1)  # the newest move, or it is still to be finished


def test_a_candidate_that_does_not_read_is_refused(tmp_path: Path) -> None:
    for candidate in ('"x"', "{}", '{"version": "a", "stage": "king", "share": 0.1, "since_ms": 1}',
                      '{"version": "a", "stage": "canary", "share": 7, "since_ms": 1}'):  # fmt: skip
        (tmp_path / "champion.json").write_text(f'{{"version": "a", "previous": "", "candidate": {candidate}}}')
        assert "does not read" in _refusal(ModelStore(str(tmp_path)).champion)


def test_a_candidate_reads_back_as_it_was_written(store: ModelStore) -> None:
    first, second = publish(store), publish(store, ModelSpec(STINGY))
    store.promote(first)
    written = store.try_out(second, Stage.CANARY, 0.25).candidate
    read = store.champion()
    assert read is not None
    assert read.candidate == written == Candidate(second, Stage.CANARY, 0.25, written.since_ms if written else 0)
