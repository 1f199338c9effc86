"""Following the champion: good ones replace, bad ones are counted and change nothing, and all of it is tried again."""

import threading
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from devstack.keys import generate_keys
from interlude.models.store import Champion, ModelStore, Stage, StoredModel
from services.decision.champion import RETRY_POLLS, ChampionWatcher
from tests.models import KEYS, STINGY, ModelSpec, promote, publish


@dataclass
class _Reports:
    loaded: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


def _watcher(store: ModelStore) -> tuple[ChampionWatcher, _Reports]:
    reports = _Reports()
    return ChampionWatcher(store, KEYS.model_public_key, reports.loaded.append, reports.refused.append), reports


def _serving(watcher: ChampionWatcher) -> str | None:
    return None if watcher.serving is None else watcher.serving.version


def test_nothing_serves_before_something_is_promoted(tmp_path: Path) -> None:
    store = ModelStore(str(tmp_path))
    watcher, reports = _watcher(store)
    publish(store)
    watcher.refresh()
    assert (_serving(watcher), reports) == (None, _Reports())


def test_a_promoted_model_serves_with_its_threshold_and_is_loaded_once(tmp_path: Path) -> None:
    store = ModelStore(str(tmp_path))
    watcher, reports = _watcher(store)
    version = promote(store, ModelSpec(threshold=0.25))
    for _ in range(3):
        watcher.refresh()
    assert watcher.serving is not None
    assert (watcher.serving.version, watcher.serving.threshold) == (version, 0.25)
    assert reports == _Reports(loaded=[version])


def test_promotion_and_rollback_replace_what_serves(tmp_path: Path) -> None:
    store = ModelStore(str(tmp_path))
    watcher, reports = _watcher(store)
    first = promote(store)
    watcher.refresh()
    second = promote(store, ModelSpec(STINGY))
    watcher.refresh()
    assert _serving(watcher) == second
    store.rollback()
    watcher.refresh()
    assert _serving(watcher) == first
    assert reports.loaded == [first, second, first]


def test_a_bad_model_is_counted_once_and_the_old_one_serves_on(tmp_path: Path) -> None:
    store = ModelStore(str(tmp_path))
    watcher, reports = _watcher(store)
    good = promote(store)
    watcher.refresh()
    promote(store, ModelSpec(STINGY), generate_keys())
    for _ in range(RETRY_POLLS):
        watcher.refresh()
    assert (_serving(watcher), reports) == (good, _Reports([good], ["signature"]))


def test_a_refused_version_is_tried_again_later(tmp_path: Path) -> None:
    store = ModelStore(str(tmp_path))
    watcher, reports = _watcher(store)
    version = promote(store)
    model = tmp_path / "versions" / version / "model.onnx"
    content = model.read_bytes()
    model.write_bytes(content[:100])
    watcher.refresh()
    model.write_bytes(content)
    for _ in range(RETRY_POLLS):
        watcher.refresh()
    assert _serving(watcher) is None
    watcher.refresh()
    assert (_serving(watcher), reports) == (version, _Reports([version], ["hash"]))


def test_a_good_model_after_a_bad_one_serves_at_the_next_look(tmp_path: Path) -> None:
    store = ModelStore(str(tmp_path))
    watcher, reports = _watcher(store)
    promote(store, keys=generate_keys())
    watcher.refresh()
    good = promote(store, ModelSpec(STINGY))
    watcher.refresh()
    assert (_serving(watcher), reports.refused) == (good, ["signature"])


@pytest.mark.parametrize("pointer", [b"", b"garbage", b'{"version": 7, "previous": 8}', b"[" * 100_000])
def test_a_pointer_that_does_not_read_changes_nothing(tmp_path: Path, pointer: bytes) -> None:
    store = ModelStore(str(tmp_path))
    watcher, reports = _watcher(store)
    version = promote(store)
    watcher.refresh()
    (tmp_path / "champion.json").write_bytes(pointer)
    watcher.refresh()
    assert (_serving(watcher), reports.refused) == (version, ["champion"])


def test_a_pointer_that_is_gone_changes_nothing(tmp_path: Path) -> None:
    store = ModelStore(str(tmp_path))
    watcher, reports = _watcher(store)
    version = promote(store)
    watcher.refresh()
    (tmp_path / "champion.json").unlink()
    watcher.refresh()
    assert (_serving(watcher), reports.refused) == (version, [])


def _trial(watcher: ChampionWatcher) -> tuple[str, Stage, float] | None:
    trial = watcher.roster.trial
    return None if trial is None else (trial.serving.version, trial.stage, trial.share)


def test_a_candidate_is_loaded_beside_the_champion_and_goes_when_it_is_withdrawn(tmp_path: Path) -> None:
    store = ModelStore(str(tmp_path))
    seen: list[str] = []
    watcher = ChampionWatcher(
        store,
        KEYS.model_public_key,
        lambda _version: None,
        lambda _check: None,
        lambda trial: seen.append(trial.stage if trial else "none"),
    )
    champion = promote(store)
    candidate = publish(store, ModelSpec(STINGY))
    for stage, share in ((Stage.SHADOW, 0.0), (Stage.CANARY, 0.2)):
        store.try_out(candidate, stage, share)
        for _ in range(2):
            watcher.refresh()
        assert (_serving(watcher), _trial(watcher)) == (champion, (candidate, stage, share))
    store.withdraw()
    watcher.refresh()
    assert (_serving(watcher), _trial(watcher)) == (champion, None)
    assert seen == [Stage.SHADOW, Stage.CANARY, "none"]


def test_how_many_were_taken_back_is_told_at_every_look(tmp_path: Path) -> None:
    store = ModelStore(str(tmp_path))
    barred: list[int] = []
    watcher = ChampionWatcher(
        store, KEYS.model_public_key, lambda _version: None, lambda _check: None, on_barred=barred.append
    )
    first = promote(store)
    watcher.refresh()
    candidate = store.try_out(publish(store, ModelSpec(STINGY)), Stage.CANARY, 0.2).candidate
    assert candidate is not None
    control = store.promote_candidate(candidate, "as good", control_share=0.2).candidate
    assert control is not None
    watcher.refresh()
    store.take_back(control, "worse")
    watcher.refresh()
    assert (barred, _serving(watcher)) == ([0, 0, 1], first)


def test_a_candidate_that_is_promoted_is_not_read_again(tmp_path: Path) -> None:
    store = ModelStore(str(tmp_path))
    watcher, reports = _watcher(store)
    promote(store)
    candidate = publish(store, ModelSpec(STINGY))
    tried = store.try_out(candidate, Stage.CANARY, 0.5).candidate
    watcher.refresh()
    (tmp_path / "versions" / candidate / "model.onnx").unlink()
    assert tried is not None
    store.promote_candidate(tried, "as good")
    watcher.refresh()
    assert (_serving(watcher), _trial(watcher), reports.refused) == (candidate, None, [])


def test_a_bad_candidate_is_refused_once_and_the_champion_decides_for_everybody(tmp_path: Path) -> None:
    store = ModelStore(str(tmp_path))
    watcher, reports = _watcher(store)
    champion = promote(store)
    store.try_out(publish(store, ModelSpec(STINGY), generate_keys()), Stage.CANARY, 0.5)
    for _ in range(RETRY_POLLS):
        watcher.refresh()
    assert (_serving(watcher), _trial(watcher), reports.refused) == (champion, None, ["signature"])


class _Broken(ModelStore):
    """A store whose client raises what no one expects, first at the pointer, then at the model."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.pointer_fails = True

    def champion(self) -> Champion | None:
        """Fails, or names a version."""
        if self.pointer_fails:
            raise ZeroDivisionError("client's own")
        return Champion("v")

    def load(self, version: str, public_key_base64: str) -> StoredModel:
        """Fails."""
        raise LookupError(version, public_key_base64)


def test_whatever_a_store_raises_the_watcher_goes_on(tmp_path: Path) -> None:
    store = _Broken(str(tmp_path))
    watcher, reports = _watcher(store)
    watcher.refresh()
    store.pointer_fails = False
    watcher.refresh()
    assert (_serving(watcher), reports.refused) == (None, ["champion", "read"])


def test_watching_refreshes_until_it_is_told_to_stop(tmp_path: Path) -> None:
    store = ModelStore(str(tmp_path))
    loaded, stop = threading.Event(), threading.Event()
    watcher = ChampionWatcher(store, KEYS.model_public_key, lambda _version: loaded.set(), lambda _check: None)
    thread = threading.Thread(target=watcher.watch, args=(stop, 0.01))
    thread.start()
    version = promote(store)
    assert loaded.wait(10)
    stop.set()
    thread.join(10)
    assert (thread.is_alive(), _serving(watcher)) == (False, version)
