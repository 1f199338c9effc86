"""The whole service from its settings: the one place where its parts meet."""

import base64
import gc
import secrets
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

from interlude.contacts.campaign import Campaigns
from interlude.contacts.campaign_file import CampaignFile
from interlude.contacts.leases import BudgetLeases
from interlude.contacts.ledger import ContactLedger
from interlude.models.store import ModelStore
from interlude.servicekit.circuit_breaker import CircuitBreaker
from interlude.servicekit.redis import ConnectionPerThread
from services.decision import native_front
from services.decision.champion import ChampionWatcher
from services.decision.engine import DecisionEngine
from services.decision.fronts import NO_ECHOES, Front
from services.decision.grpcio_front import GrpcioFront
from services.decision.handler import DecisionHandler
from services.decision.journal import Journal
from services.decision.listeners import RedisListeners
from services.decision.metrics import DecisionMetrics
from services.decision.outcomes import OutcomeTaker
from services.decision.recording import Recording
from services.decision.reported import ReportedOutcomes
from services.decision.reserving import Reserver
from services.decision.settings import DecisionSettings, FrontChoice
from services.decision.tokens import TokenIssuer

SERVICE = "decision"
SERVICE_VERSION = "0.1.0"
FLUSH_SECONDS = 5.0
REFILL_SECONDS = 0.02
"""How often budgets are looked at to fetch discounts ahead."""
REDIS_REST_SECONDS = 0.1
"""After a failure Redis is left alone for this long: waiting for it in every call would make all of them late."""
SWITCH_SECONDS = 0.0005
GC_THRESHOLD = 20_000


def now_ms() -> int:
    """The clock, epoch ms."""
    return time.time_ns() // 1_000_000


class NoSuchFront(Exception):
    """The settings name a front that is not installed here."""


@dataclass(frozen=True, slots=True)
class DecisionParts:
    """What a front serves, and what runs beside it."""

    handler: DecisionHandler
    watcher: ChampionWatcher
    campaigns: CampaignFile
    budgets: BudgetLeases
    recording: Recording


def compose(settings: DecisionSettings, metrics: DecisionMetrics) -> DecisionParts:
    """Every part of the service, nothing started, nothing connected yet. Raises `InvalidCampaigns`, `SpillTaken`."""
    recording = Recording(settings, metrics, client_id=SERVICE, version=SERVICE_VERSION)
    watcher = ChampionWatcher(
        ModelStore(settings.model_store),
        settings.model_public_key,
        metrics.models.loaded,
        metrics.models.refused,
        metrics.trial.trial,
        metrics.trial.barred,
    )
    breaker = CircuitBreaker(REDIS_REST_SECONDS)
    connections = ConnectionPerThread(settings.redis_url, timeout_ms=settings.redis_timeout_ms, breaker=breaker)
    budgets = BudgetLeases(
        connections,
        holder=secrets.token_hex(8),
        now_ms=now_ms,
        timeout_seconds=settings.redis_timeout_ms / 1000,
        on_units=metrics.campaigns.budget_moved,
    )
    engine = DecisionEngine(
        RedisListeners(connections, metrics.corrupt_features.inc),
        Reserver(ContactLedger(connections), budgets),
        watcher,
        now_ms=now_ms,
        reserve_seconds=settings.deadline_reserve_ms / 1000,
        observer=metrics.trial,
    )
    campaigns = CampaignFile(
        settings.campaign_file,
        on_loaded=lambda loaded: _campaigns_loaded(loaded, recording.journal, metrics),
        on_refused=lambda _problems: metrics.campaigns.refused(),
    )
    metrics.campaigns.file_refused.set_function(lambda: campaigns.is_refused)
    tokens = TokenIssuer(base64.b64decode(settings.token_key.get_secret_value()))
    outcomes = OutcomeTaker(ReportedOutcomes(connections), recording.journal, metrics.outcomes)
    handler = DecisionHandler(engine, campaigns, tokens, recording.decision_log, outcomes, metrics, now_ms=now_ms)
    return DecisionParts(handler, watcher, campaigns, budgets, recording)


def _campaigns_loaded(campaigns: Campaigns, journal: Journal, metrics: DecisionMetrics) -> None:
    journal.publish_campaigns(campaigns)
    metrics.campaigns.loaded(campaigns.version)


def open_front(settings: DecisionSettings, handler: DecisionHandler, echoes: Mapping[str, bytes] = NO_ECHOES) -> Front:
    """The front that the settings name; `auto` is the native one where it is installed.

    Raises `PortTaken`, `NoSuchFront`, `UnusableCertificates`.
    """
    if settings.front is FrontChoice.NATIVE and not native_front.AVAILABLE:
        raise NoSuchFront(
            "DECISION_FRONT is native, and the package batchfront is not installed (see native/README.md)"
        )
    native = settings.front is not FrontChoice.GRPCIO and native_front.AVAILABLE
    kind = native_front.NativeFront if native else GrpcioFront
    return kind(
        settings.listen,
        handler.handle,
        in_flight_limit=settings.concurrent_calls,
        echoes=echoes,
        certificates=settings.certificates,
    )


def start_beside(parts: DecisionParts, stop: threading.Event, poll_seconds: float) -> list[threading.Thread]:
    """Load the champion that is there, then follow it and the campaigns, fetch budgets ahead, write the decision log and serve
    delivery reports, each in a thread."""
    parts.watcher.refresh()
    threads = [
        threading.Thread(target=parts.watcher.watch, args=(stop, poll_seconds), name="champion", daemon=True),
        threading.Thread(target=parts.campaigns.watch, args=(stop, poll_seconds), name="campaigns", daemon=True),
        threading.Thread(target=parts.budgets.run_until, args=(stop, REFILL_SECONDS), name="budgets", daemon=True),
        *parts.recording.threads(stop),
    ]
    for thread in threads:
        thread.start()
    # A background thread in the middle of Python work (a scrape, a model being checked) gives way to an answer this soon.
    sys.setswitchinterval(SWITCH_SECONDS)
    settle_memory()
    return threads


def settle_memory() -> None:
    """To be called when everything that stays is there: from then on the search for cycles is short and seldom."""
    # What lives now lives as long as the process; without it a full collection costs a fraction of a millisecond.
    gc.collect()
    gc.freeze()
    # Answers that wait to be logged are many and make no cycles: looking for some after every 50 calls finds none.
    gc.set_threshold(GC_THRESHOLD)
