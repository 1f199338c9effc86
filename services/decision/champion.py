"""The model that serves, replaced under load by one reference."""

import threading
from collections.abc import Callable
from typing import Final, NamedTuple

import structlog

from interlude.models.manifest import RefusedModel
from interlude.models.scorer import Scorer, load_scorer
from interlude.models.store import ModelStore

RETRY_POLLS: Final = 20
"""A refused version is looked at again after this many polls: the store may have been read while it was being written."""

log = structlog.get_logger()


class Serving(NamedTuple):
    """A model that serves; `threshold` is the click probability from which the offer is worth showing."""

    version: str
    scorer: Scorer
    threshold: float


class ChampionWatcher:
    """Follows the store's champion. A model that is refused changes nothing: the one before serves on."""

    def __init__(
        self,
        store: ModelStore,
        public_key_base64: str,
        on_loaded: Callable[[str], None],
        on_refused: Callable[[str], None],
    ) -> None:
        """`on_loaded(version)` and `on_refused(check)` report what became of each version."""
        self._store = store
        self._public_key_base64 = public_key_base64
        self._on_loaded = on_loaded
        self._on_refused = on_refused
        self._serving: Serving | None = None
        self._refused_version = ""
        self._polls_since_refusal = 0

    @property
    def serving(self) -> Serving | None:
        """The model to ask now, None while there is none. Read once per batch: the next batch may see another."""
        return self._serving

    def watch(self, stop: threading.Event, poll_seconds: float) -> None:
        """Refresh until `stop`; for a thread of its own."""
        while not stop.wait(poll_seconds):
            self.refresh()

    def refresh(self) -> None:
        """Look at the champion pointer once, and load what it names if that does not serve yet."""
        try:
            champion = self._store.champion()
        except Exception as error:  # as in `_load`
            self._refuse("champion", str(error))
            return
        if champion is None or (self._serving is not None and champion.version == self._serving.version):
            return
        if champion.version == self._refused_version and self._polls_since_refusal < RETRY_POLLS:
            self._polls_since_refusal += 1
            return
        self._load(champion.version)

    def _load(self, version: str) -> None:
        try:
            stored = self._store.load(version, self._public_key_base64)
            scorer = load_scorer(stored)
        except RefusedModel as error:
            self._refuse(error.check, error.problem, version)
        except Exception as error:
            # Whatever a store's client raises: a watcher that ended would leave the old model serving for ever, unnoticed.
            self._refuse("read", f"{type(error).__name__}: {error}", version)
        else:
            self._serving = Serving(version, scorer, stored.manifest.threshold)
            self._on_loaded(version)
            log.info("model loaded", version=version, algorithm=stored.manifest.algorithm)

    def _refuse(self, check: str, problem: str, version: str = "") -> None:
        self._refused_version = version
        self._polls_since_refusal = 0
        self._on_refused(check)
        log.error("model refused", version=version, check=check, problem=problem)
