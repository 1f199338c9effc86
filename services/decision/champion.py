"""The models that serve, champion and candidate, replaced under load by one reference."""

import threading
from collections.abc import Callable
from typing import Final, NamedTuple

import structlog

from interlude.models.manifest import RefusedModel
from interlude.models.scorer import Scorer, load_scorer
from interlude.models.store import Candidate, ModelStore, Stage

RETRY_POLLS: Final = 20
"""A refused version is looked at again after this many polls: the store may have been read while it was being written."""

log = structlog.get_logger()


class Serving(NamedTuple):
    """A model that serves; `threshold` is the click probability from which the offer is worth showing."""

    version: str
    scorer: Scorer
    threshold: float


class Trial(NamedTuple):
    """What the champion is compared with: in shadow it scores beside it, as a canary or as control (the champion before) it decides
    for `share` of the listeners."""

    serving: Serving
    stage: Stage
    share: float


class Roster(NamedTuple):
    """The models to ask."""

    champion: Serving | None = None
    trial: Trial | None = None


class ChampionWatcher:
    """Follows the store's pointer. A model that is refused changes nothing: the one before serves on; without a candidate that
    loads, the champion decides for everybody."""

    def __init__(
        self,
        store: ModelStore,
        public_key_base64: str,
        on_loaded: Callable[[str], None],
        on_refused: Callable[[str], None],
        on_trial: Callable[[Trial | None], None] = lambda _trial: None,
        on_barred: Callable[[int], None] = lambda _versions: None,
    ) -> None:
        """`on_loaded(version)` and `on_refused(check)` report what became of champions, `on_trial` every change of the trial,
        `on_barred` at every look how many versions were taken back for good."""
        self._store = store
        self._public_key_base64 = public_key_base64
        self._on_loaded = on_loaded
        self._on_refused = on_refused
        self._on_trial = on_trial
        self._on_barred = on_barred
        self._roster = Roster()
        self._polls_since_refusal: dict[str, int] = {}
        """By version, of those that the pointer names and that were refused."""

    @property
    def roster(self) -> Roster:
        """The models to ask now. Read once per batch: the next batch may see others."""
        return self._roster

    @property
    def serving(self) -> Serving | None:
        """The champion, None while there is none."""
        return self._roster.champion

    def watch(self, stop: threading.Event, poll_seconds: float) -> None:
        """Refresh until `stop`; for a thread of its own."""
        while not stop.wait(poll_seconds):
            self.refresh()

    def refresh(self) -> None:
        """Look at the pointer once, and load what it names if that does not serve yet."""
        try:
            named = self._store.champion()
        except Exception as error:  # as in `_loaded`
            self._on_refused("champion")
            log.error("model refused", version="", check="champion", problem=str(error))
            return
        if named is None:
            return
        self._on_barred(len(named.barred))
        candidate = named.candidate
        names = {named.version, candidate.version if candidate else ""}
        self._polls_since_refusal = {name: polls for name, polls in self._polls_since_refusal.items() if name in names}
        before = self._roster
        champion = self._loaded(named.version) or before.champion
        self._roster = Roster(champion, self._trial(candidate))
        if champion is not None and (before.champion is None or champion.version != before.champion.version):
            self._on_loaded(champion.version)
        if self._roster.trial != before.trial:
            self._on_trial(self._roster.trial)

    def _trial(self, candidate: Candidate | None) -> Trial | None:
        serving = None if candidate is None else self._loaded(candidate.version)
        return None if candidate is None or serving is None else Trial(serving, candidate.stage, candidate.share)

    def _loaded(self, version: str) -> Serving | None:
        """That version, from memory where it is there; None: it is refused, now or not long ago."""
        for known in (self._roster.champion, self._roster.trial.serving if self._roster.trial else None):
            if known is not None and known.version == version:
                return known
        polls = self._polls_since_refusal.get(version, RETRY_POLLS)
        if polls < RETRY_POLLS:
            self._polls_since_refusal[version] = polls + 1
            return None
        try:
            stored = self._store.load(version, self._public_key_base64)
            serving = Serving(version, load_scorer(stored), stored.manifest.threshold)
        except RefusedModel as error:
            self._refuse(version, error.check, error.problem)
        except Exception as error:
            # Whatever a store's client raises: a watcher that ended would leave the old model serving for ever, unnoticed.
            self._refuse(version, "read", f"{type(error).__name__}: {error}")
        else:
            self._polls_since_refusal.pop(version, None)
            log.info("model loaded", version=version, algorithm=stored.manifest.algorithm)
            return serving
        return None

    def _refuse(self, version: str, check: str, problem: str) -> None:
        self._polls_since_refusal[version] = 0
        self._on_refused(check)
        log.error("model refused", version=version, check=check, problem=problem)
