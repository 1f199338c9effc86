"""Wires the enricher together and runs it: `python -m services.enricher`, or one of its commands: `… rebuild`, `… erase`."""

import os
import sys
import threading
import time

import structlog

from interlude.events.topics import PARTITIONER, Topic
from interlude.servicekit.consumer_settings import ConsumerSettings
from interlude.servicekit.consuming import ConsumerLoop
from interlude.servicekit.dead_letter_limit import DeadLetterLimit
from interlude.servicekit.dead_letters import DeadLetters
from interlude.servicekit.equal_partitions import UnequalPartitions
from interlude.servicekit.group_offsets import GroupOffsets
from interlude.servicekit.lifecycle import collect_rarely, refuse_to_start, stop_on_signals
from interlude.servicekit.logs import configure_logs
from interlude.servicekit.producing import RecordProducer
from interlude.servicekit.redis import ConnectionPerThread, await_redis, connect
from interlude.servicekit.settings import InvalidSettings, load_settings
from interlude.servicekit.telemetry import Health, TelemetryServer
from services.enricher.commands import run_command
from services.enricher.generation import CurrentGeneration, OtherSchema
from services.enricher.handler import STREAMS, EnricherHandler
from services.enricher.metrics import EnricherMetrics
from services.enricher.outbox import KafkaOutbox
from services.enricher.settings import EnricherSettings
from services.enricher.store import StateStore

SERVICE = "enricher"


def build_loop(
    settings: EnricherSettings,
    current: CurrentGeneration,
    metrics: EnricherMetrics,
    health: Health,
) -> ConsumerLoop:
    """The whole service, ready to run."""
    collect_rarely()
    producer = RecordProducer(
        settings.kafka_bootstrap,
        client_id=SERVICE,
        partitioner=PARTITIONER,
        on_undelivered=lambda topic: metrics.undelivered.labels(topic).inc(),
    )
    handler = EnricherHandler(
        StateStore(ConnectionPerThread(settings.redis_url, timeout_ms=settings.redis_timeout_ms), current),
        KafkaOutbox(producer, DeadLetters(producer, settings.group_id), settings.flush_timeout_ms),
        metrics,
        DeadLetterLimit(
            settings.dead_letter_limit,
            window_records=settings.dead_letter_limit_records,
            minimum_records=settings.dead_letter_limit_minimum,
            on_stopped=lambda topic, stopped: metrics.dead_letter_limit_reached.labels(topic).set(stopped),
        ),
        now_ms=lambda: time.time_ns() // 1_000_000,
    )
    consumer = ConsumerSettings(
        bootstrap=settings.kafka_bootstrap,
        group_id=settings.group_id,
        topics=tuple(STREAMS),
        client_id=SERVICE,
        max_records=settings.batch_records,
        session_timeout_ms=settings.session_timeout_ms,
        # A replay has to know who was erased before it folds, and publishes, anything of them.
        first_topics=(Topic.CUSTOMERS,),
        protocol=settings.group_protocol,
        instance_id=settings.instance_id,
        fetched_kib=settings.fetched_kib,
    )
    return ConsumerLoop(consumer, handler, health, current, on_batch_lost=metrics.reconciliation.abandon)


def main() -> None:
    """Run until SIGTERM or SIGINT; or a command and end."""
    try:
        settings = load_settings(EnricherSettings, os.environ)
    except InvalidSettings as error:
        refuse_to_start(SERVICE, error)
    configure_logs(SERVICE, settings.log_level)
    stop = stop_on_signals()
    if len(sys.argv) > 1:
        raise SystemExit(run_command(sys.argv[1:], settings, stop))
    run_service(settings, stop)


def run_service(settings: EnricherSettings, stop: threading.Event) -> None:
    """Keep features current until `stop`."""
    metrics = EnricherMetrics()
    health = Health()
    telemetry = TelemetryServer(settings.metrics_host, settings.metrics_port, metrics.registry, health)
    telemetry.start()
    try:
        client = connect(settings.redis_url, timeout_ms=settings.redis_timeout_ms, single_connection=True)
        await_redis(client, stop, health)
        current = CurrentGeneration(client, metrics.generation.set)
        await_generation(settings, current, health, stop)
        build_loop(settings, current, metrics, health).run(stop)
    except (UnequalPartitions, OtherSchema) as error:
        refuse_to_start(SERVICE, error)
    finally:
        telemetry.stop()
    structlog.get_logger().info("stopped")


def await_generation(
    settings: EnricherSettings, current: CurrentGeneration, health: Health, stop: threading.Event
) -> None:
    """Return once the generation in use is one that this version may write, or `stop` is set."""
    group = GroupOffsets(settings.kafka_bootstrap, settings.group_id, STREAMS)
    try:
        current.begin(group, time.time_ns() // 1_000_000, health, stop)
    finally:
        group.close()


if __name__ == "__main__":
    main()
