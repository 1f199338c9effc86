"""The decision service with a no-op method on the same server: `python -m bench.server`, settings as the service's."""

import os

from interlude.servicekit.lifecycle import stop_on_signals
from interlude.servicekit.logs import configure_logs
from interlude.servicekit.settings import load_settings
from interlude.v1 import decision_pb2 as pb
from services.decision.composition import compose, open_front, start_beside
from services.decision.metrics import DecisionMetrics
from services.decision.settings import DecisionSettings

NOOP_METHOD = "/interlude.bench.v1.Bench/Noop"
"""Answered by the front itself, with a fixed `DecideResponse`."""


def main() -> None:
    """Serve until SIGTERM."""
    settings = load_settings(DecisionSettings, os.environ)
    configure_logs("bench", "warning")
    stop = stop_on_signals()
    parts = compose(settings, DecisionMetrics())
    answer = pb.DecideResponse(show=True, reason=pb.REASON_SHOW).SerializeToString()
    front = open_front(settings, parts.handler, {NOOP_METHOD: answer})
    start_beside(parts, stop, settings.model_poll_ms / 1000)
    front.start()
    stop.wait()
    front.stop(1)


if __name__ == "__main__":
    main()
