"""The model store: what was written comes back, what was touched does not, and the pointer is never half written."""

import os
import threading
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from devstack.keys import generate_keys
from interlude.models.manifest import RefusedModel
from interlude.models.store import MODEL_BYTES_LIMIT, Champion, ModelStore
from tests.models import KEYS, STINGY, ModelSpec, promote, publish

_CHECKS = {"manifest.json": "signature", "manifest.sig": "signature", "model.onnx": "hash"}
_PROMOTIONS = 200
_READERS = 2


@pytest.fixture(params=["directory", "object store"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ModelStore:
    """An empty store, on disk and behind fsspec's in-memory object store."""
    return ModelStore(str(tmp_path) if request.param == "directory" else f"memory://{uuid.uuid4().hex}")


def _refusal(call: Callable[[], object]) -> str:
    with pytest.raises(RefusedModel) as caught:
        call()
    return caught.value.check


def test_an_empty_store_has_no_champion_and_no_versions(store: ModelStore) -> None:
    assert store.champion() is None
    assert store.versions() == []
    assert _refusal(store.rollback) == "champion"


def test_a_published_model_comes_back_as_it_was(store: ModelStore) -> None:
    spec = ModelSpec()
    version = publish(store, spec)
    stored = store.load(version, KEYS.model_public_key)
    assert (stored.version, stored.manifest, stored.model) == (version, spec.manifest, spec.file)
    assert store.versions() == [version] == [publish(store, spec)]


def test_promotion_points_and_remembers_the_one_before(store: ModelStore) -> None:
    first, second = publish(store), publish(store, ModelSpec(STINGY))
    assert store.promote(first) == Champion(first) == store.champion()
    assert store.promote(second) == Champion(second, first) == store.champion()
    assert store.promote(second) == Champion(second, first)  # not its own predecessor
    assert store.rollback() == Champion(first, second) == store.champion()
    assert store.rollback() == Champion(second, first) == store.champion()


def test_an_unknown_version_is_neither_promoted_nor_loaded(store: ModelStore) -> None:
    version = promote(store)
    assert _refusal(lambda: store.promote("0" * 16)) == "version"
    assert _refusal(lambda: store.load("0" * 16, KEYS.model_public_key)) == "missing"
    assert store.champion() == Champion(version)


def test_a_first_champion_cannot_be_rolled_back(store: ModelStore) -> None:
    promote(store)
    assert _refusal(store.rollback) == "champion"


def test_a_model_signed_by_another_key_is_refused(store: ModelStore) -> None:
    version = publish(store, keys=generate_keys())
    assert _refusal(lambda: store.load(version, KEYS.model_public_key)) == "signature"


@pytest.mark.parametrize(("name", "check"), list(_CHECKS.items()))
def test_a_flipped_byte_is_noticed_wherever_it_is(tmp_path: Path, name: str, check: str) -> None:
    store = ModelStore(str(tmp_path))
    version = publish(store)
    path = tmp_path / "versions" / version / name
    content = path.read_bytes()
    for place in range(0, len(content), max(1, len(content) // 40)):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        assert _refusal(lambda: store.load(version, KEYS.model_public_key)) == check


@pytest.mark.parametrize(("name", "check"), list(_CHECKS.items()))
def test_a_file_cut_short_is_refused(tmp_path: Path, name: str, check: str) -> None:
    store = ModelStore(str(tmp_path))
    version = publish(store)
    path = tmp_path / "versions" / version / name
    for size in (path.stat().st_size - 1, 0):
        os.truncate(path, size)
        assert _refusal(lambda: store.load(version, KEYS.model_public_key)) == check


@pytest.mark.parametrize("name", _CHECKS)
def test_a_missing_file_is_refused(tmp_path: Path, name: str) -> None:
    store = ModelStore(str(tmp_path))
    version = publish(store)
    (tmp_path / "versions" / version / name).unlink()
    assert _refusal(lambda: store.load(version, KEYS.model_public_key)) == "missing"


def test_a_file_too_large_is_not_even_read(tmp_path: Path) -> None:
    store = ModelStore(str(tmp_path))
    version = publish(store)
    os.truncate(tmp_path / "versions" / version / "model.onnx", MODEL_BYTES_LIMIT + 1)  # sparse: takes no room on disk
    assert _refusal(lambda: store.load(version, KEYS.model_public_key)) == "size"


def test_a_version_under_the_name_of_another_is_refused(tmp_path: Path) -> None:
    store = ModelStore(str(tmp_path))
    version = publish(store)
    (tmp_path / "versions" / version).rename(tmp_path / "versions" / ("f" * 16))
    assert _refusal(lambda: store.load("f" * 16, KEYS.model_public_key)) == "version"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"7",
        b"\xff\xfe",
        b'{"version": "a"}',
        b'{"version": 7, "previous": ""}',
        b'{"version": "a", "previous": null}',
        b"[" * 100_000,
    ],
)
def test_a_pointer_that_does_not_read_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "champion.json").write_bytes(content)
    assert _refusal(ModelStore(str(tmp_path)).champion) == "champion"


def test_a_version_without_its_manifest_does_not_exist_yet(tmp_path: Path) -> None:
    store = ModelStore(str(tmp_path))
    version = publish(store)
    (tmp_path / "versions" / version / "manifest.json").unlink()
    assert store.versions() == []
    assert _refusal(lambda: store.promote(version)) == "version"
    assert publish(store) == version
    assert store.load(version, KEYS.model_public_key).version == version


def test_readers_never_see_a_broken_pointer_while_it_is_moved(tmp_path: Path) -> None:
    writer = ModelStore(str(tmp_path))
    versions = [publish(writer), publish(writer, ModelSpec(STINGY))]
    writer.promote(versions[0])
    done = threading.Event()
    seen: set[str] = set()
    problems: list[BaseException] = []

    def read() -> None:
        reader = ModelStore(str(tmp_path))
        try:
            while not done.is_set():
                champion = reader.champion()
                assert champion is not None
                seen.add(champion.version)
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=read) for _ in range(_READERS)]
    for thread in threads:
        thread.start()
    for number in range(_PROMOTIONS):
        writer.promote(versions[(number + 1) % 2])
    done.set()
    for thread in threads:
        thread.join()
    assert problems == []
    assert seen <= set(versions)
    assert writer.champion() == Champion(versions[0], versions[1])
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "champion.json",
        "champion.lock",
        "moves",
        "versions",
    ]  # nothing unfinished stays
