"""How the connection is set up."""

import json
from typing import Any

import pytest

from interlude.client import CHANNEL_OPTIONS, SERVICE_CONFIG
from interlude.v1 import decision_pb2 as pb
from services.decision.grpcio_front import _OPTIONS as SERVER_OPTIONS

_CLIENT: dict[str, Any] = dict(CHANNEL_OPTIONS)


def test_the_server_accepts_the_keepalive() -> None:
    server = dict(SERVER_OPTIONS)
    assert _CLIENT["grpc.keepalive_time_ms"] > server["grpc.http2.min_recv_ping_interval_without_data_ms"]
    assert server["grpc.keepalive_permit_without_calls"] == _CLIENT["grpc.keepalive_permit_without_calls"] == 1


def test_only_what_nobody_took_is_retried_and_only_where_that_is_safe() -> None:
    assert json.loads(_CLIENT["grpc.service_config"]) == SERVICE_CONFIG
    (config,) = json.loads(_CLIENT["grpc.service_config"])["methodConfig"]
    assert config["retryPolicy"]["retryableStatusCodes"] == ["UNAVAILABLE"]
    service = pb.DESCRIPTOR.services_by_name["DecisionService"]
    assert {name["service"] for name in config["name"]} == {service.full_name}
    assert [name["method"] for name in config["name"]] == ["Decide", "ReportOutcome"]


@pytest.mark.parametrize("name", ["Decide", "ReportOutcome"])
def test_the_methods_exist(name: str) -> None:
    assert name in pb.DESCRIPTOR.services_by_name["DecisionService"].methods_by_name
