"""How the connection behaves: spread over all replicas, kept warm, and asking again only where that is safe."""

import json
from typing import Final

SERVICE_CONFIG: Final = {
    # Over every address that the name has: give "dns:///name:port" of a headless service, or "ipv4:a:port,b:port".
    "loadBalancingConfig": [{"round_robin": {}}],
    "methodConfig": [
        {
            # Both are idempotent: the same request_id reserves one impression at most, the same report is one event.
            "name": [
                {"service": "interlude.v1.DecisionService", "method": "Decide"},
                {"service": "interlude.v1.DecisionService", "method": "ReportOutcome"},
            ],
            # UNAVAILABLE alone: the call was not taken. A server that sheds load (RESOURCE_EXHAUSTED) must not be asked more,
            # and after DEADLINE_EXCEEDED there is no time left. Attempts share the call's deadline.
            "retryPolicy": {
                "maxAttempts": 3,
                "initialBackoff": "0.005s",
                "maxBackoff": "0.05s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ],
    # While more than one call in eleven fails, retries pause, for this address: asking thrice brings nothing back.
    "retryThrottling": {"maxTokens": 10, "tokenRatio": 0.1},
}
"""gRPC's service config, as any language's client takes it."""

CHANNEL_OPTIONS: Final[tuple[tuple[str, str | int], ...]] = (
    # A replica that is gone without a word is noticed between tracks, in 20 s at most. The server's limit is one ping in 10 s.
    ("grpc.keepalive_time_ms", 15_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.service_config", json.dumps(SERVICE_CONFIG)),
)
"""Options of the channel that a client makes; give them to a channel of your own (TLS, a proxy) as well."""


def options_for(target: str) -> list[tuple[str, str | int]]:
    """`CHANNEL_OPTIONS`, and a name for a list of addresses: gRPC makes the authority of the list, which servers refuse.

    With TLS it is also the name that every server's certificate must have: a list says nothing else of whom it means.
    """
    is_list = "," in target
    return [*CHANNEL_OPTIONS, ("grpc.default_authority", "decision")] if is_list else list(CHANNEL_OPTIONS)
