"""Runs the decision service: `python -m services.decision`."""

import os
import threading

import structlog

from interlude.contacts.campaign_file import InvalidCampaigns
from interlude.servicekit.lifecycle import refuse_to_start, stop_on_signals
from interlude.servicekit.logs import configure_logs
from interlude.servicekit.settings import InvalidSettings, load_settings
from interlude.servicekit.telemetry import Health, TelemetryServer
from services.decision.certificates import RenewedCertificates, UnusableCertificates
from services.decision.composition import (
    FLUSH_SECONDS,
    SERVICE,
    DecisionParts,
    NoSuchFront,
    compose,
    open_front,
    start_beside,
)
from services.decision.fronts import PortTaken
from services.decision.metrics import DecisionMetrics
from services.decision.settings import DecisionSettings
from services.decision.spill import SpillTaken

BEAT_SECONDS = 1.0

log = structlog.get_logger()


def serve(
    settings: DecisionSettings, parts: DecisionParts, metrics: DecisionMetrics, stop: threading.Event, health: Health
) -> None:
    """Answer until `stop`, then let calls in progress end and hand everything queued to Kafka."""
    front = open_front(settings, parts.handler)
    metrics.in_progress.set_function(lambda: front.in_flight)
    metrics.front.counters = front.counters
    if settings.certificates:
        metrics.front.certificate_expires_seconds = RenewedCertificates(settings.certificates).expires_seconds
    threads = start_beside(parts, stop, settings.model_poll_ms / 1000)
    front.start()
    health.ready()
    log.info("serving", listen=settings.listen, front=type(front).__name__, tls=settings.tls)
    # A front that has died no longer beats: Kubernetes starts the service anew.
    while not stop.wait(BEAT_SECONDS):
        if front.alive:
            health.beat()
    health.unready("stopping")
    front.stop(settings.stop_grace_seconds)
    for thread in threads:
        thread.join()
    parts.budgets.return_all()
    parts.recording.finish(FLUSH_SECONDS)
    log.info("stopped")


def main() -> None:
    """Run until SIGTERM or SIGINT."""
    try:
        settings = load_settings(DecisionSettings, os.environ)
    except InvalidSettings as error:
        refuse_to_start(SERVICE, error)
    configure_logs(SERVICE, settings.log_level)
    stop = stop_on_signals()
    metrics = DecisionMetrics()
    health = Health()
    try:
        telemetry = TelemetryServer(settings.metrics_host, settings.metrics_port, metrics.registry, health)
    except OSError as error:
        address = f"{settings.metrics_host}:{settings.metrics_port}"
        refuse_to_start(SERVICE, PortTaken(f"cannot serve metrics on {address}: {error.strerror}"))
    telemetry.start()
    try:
        serve(settings, compose(settings, metrics), metrics, stop, health)
    except (InvalidCampaigns, PortTaken, NoSuchFront, SpillTaken, UnusableCertificates) as error:
        refuse_to_start(SERVICE, error)
    finally:
        telemetry.stop()


if __name__ == "__main__":
    main()
