"""The decision service with a no-op method on the same server: `python -m bench.server`, settings as the service's."""

import os

import grpc

from interlude.contacts.campaign import read_campaigns
from interlude.servicekit.lifecycle import stop_on_signals
from interlude.servicekit.logs import configure_logs
from interlude.servicekit.settings import load_settings
from interlude.v1 import decision_pb2 as pb
from services.decision.composition import compose, start_beside
from services.decision.metrics import DecisionMetrics
from services.decision.server import GrpcFront
from services.decision.settings import DecisionSettings

NOOP_METHOD = "/interlude.bench.v1.Bench/Noop"


def noop_handler() -> grpc.GenericRpcHandler:
    """A method that reads a `DecideRequest`, decides nothing, and writes a `DecideResponse`."""
    method = grpc.unary_unary_rpc_method_handler(
        lambda _request, _context: pb.DecideResponse(show=True, reason=pb.REASON_SHOW),
        request_deserializer=pb.DecideRequest.FromString,
        response_serializer=pb.DecideResponse.SerializeToString,
    )
    service, _, name = NOOP_METHOD[1:].partition("/")
    return grpc.method_handlers_generic_handler(service, {name: method})


def main() -> None:
    """Serve until SIGTERM."""
    settings = load_settings(DecisionSettings, os.environ)
    configure_logs("bench", "warning")
    stop = stop_on_signals()
    parts = compose(settings, read_campaigns(settings.campaign_file), DecisionMetrics())
    front = GrpcFront(settings, parts.servicer, extra=[noop_handler()])
    start_beside(parts, stop, settings.model_poll_ms / 1000)
    front.start()
    stop.wait()
    front.stop(1)


if __name__ == "__main__":
    main()
