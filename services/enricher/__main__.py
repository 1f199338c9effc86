"""Wires the enricher together and runs it: `python -m services.enricher`."""

import os
import time

import redis
import structlog

from interlude.events.topics import PARTITIONER
from interlude.servicekit.consumer_settings import ConsumerSettings
from interlude.servicekit.consuming import ConsumerLoop
from interlude.servicekit.dead_letter_limit import DeadLetterLimit
from interlude.servicekit.dead_letters import DeadLetters
from interlude.servicekit.equal_partitions import UnequalPartitions
from interlude.servicekit.lifecycle import collect_rarely, refuse_to_start, stop_on_signals
from interlude.servicekit.logs import configure_logs
from interlude.servicekit.producing import RecordProducer
from interlude.servicekit.redis import await_redis, connect
from interlude.servicekit.settings import InvalidSettings, load_settings
from interlude.servicekit.telemetry import Health, TelemetryServer
from services.enricher.handler import STREAMS, EnricherHandler
from services.enricher.metrics import EnricherMetrics
from services.enricher.outbox import KafkaOutbox
from services.enricher.settings import EnricherSettings
from services.enricher.store import StateStore

SERVICE = "enricher"


def build_loop(
    settings: EnricherSettings, client: "redis.Redis", metrics: EnricherMetrics, health: Health
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
        StateStore(client),
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
        protocol=settings.group_protocol,
        instance_id=settings.instance_id,
        fetched_kib=settings.fetched_kib,
    )
    return ConsumerLoop(consumer, handler, health, on_batch_lost=metrics.reconciliation.abandon)


def main() -> None:
    """Run until SIGTERM or SIGINT."""
    try:
        settings = load_settings(EnricherSettings, os.environ)
    except InvalidSettings as error:
        refuse_to_start(SERVICE, error)
    configure_logs(SERVICE, settings.log_level)
    stop = stop_on_signals()
    metrics = EnricherMetrics()
    health = Health()
    telemetry = TelemetryServer(settings.metrics_host, settings.metrics_port, metrics.registry, health)
    telemetry.start()
    try:
        client = connect(settings.redis_url, timeout_ms=settings.redis_timeout_ms, single_connection=True)
        await_redis(client, stop, health)
        build_loop(settings, client, metrics, health).run(stop)
    except UnequalPartitions as error:
        refuse_to_start(SERVICE, error)
    finally:
        telemetry.stop()
    structlog.get_logger().info("stopped")


if __name__ == "__main__":
    main()
