"""Every kind of bad model, through store and watcher: refused for the right reason, and the good one serves on."""

from pathlib import Path

import pytest

from devstack.bad_models import BAD_MODELS
from interlude.models.store import ModelStore
from services.decision.champion import ChampionWatcher
from tests.models import KEYS, promote


@pytest.mark.parametrize("name", BAD_MODELS)
def test_it_is_refused_and_the_one_before_serves_on(tmp_path: Path, name: str) -> None:
    store, refused = ModelStore(str(tmp_path)), list[str]()
    watcher = ChampionWatcher(store, KEYS.model_public_key, lambda _version: None, refused.append)
    good = promote(store)
    watcher.refresh()
    bad = BAD_MODELS[name](KEYS)
    bad.put(tmp_path)
    watcher.refresh()
    assert refused == [bad.check]
    assert watcher.serving is not None
    assert watcher.serving.version == good
