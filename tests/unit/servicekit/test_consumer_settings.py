"""What Kafka's client is told of a group: librdkafka refuses some settings beside others, and so a consumer is made of each."""

from dataclasses import replace

import pytest
from confluent_kafka import Consumer

from interlude.servicekit.consumer_settings import ConsumerSettings, GroupProtocol, client_configuration

SETTINGS = ConsumerSettings("127.0.0.1:1", "group", ("listens",), "test", session_timeout_ms=3000, fetched_kib=1024)


@pytest.mark.parametrize("protocol", list(GroupProtocol))
@pytest.mark.parametrize("instance_id", ["", "enricher-0"])
def test_the_client_takes_every_combination(protocol: GroupProtocol, instance_id: str) -> None:
    configuration = client_configuration(replace(SETTINGS, protocol=protocol, instance_id=instance_id))
    Consumer({**configuration, "log_level": 0}).close()
    assert configuration.get("group.instance.id", "") == instance_id
    assert configuration["enable.auto.commit"] is configuration["enable.auto.offset.store"] is False


def test_members_share_partitions_out_themselves_or_kafka_does_always_by_range() -> None:
    classic = client_configuration(SETTINGS)
    assert classic["partition.assignment.strategy"] == "range"
    assert (classic["session.timeout.ms"], classic["heartbeat.interval.ms"]) == (3000, 1000)
    by_kafka = client_configuration(replace(SETTINGS, protocol=GroupProtocol.CONSUMER))
    assert (by_kafka["group.protocol"], by_kafka["group.remote.assignor"]) == ("consumer", "range")
    assert not {"partition.assignment.strategy", "session.timeout.ms", "heartbeat.interval.ms"} & set(by_kafka)


def test_what_is_fetched_ahead_is_bounded() -> None:
    assert client_configuration(SETTINGS)["queued.max.messages.kbytes"] == 1024
