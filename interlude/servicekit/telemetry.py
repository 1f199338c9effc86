"""The HTTP side of a service: /metrics for Prometheus, /healthz and /readyz for Kubernetes."""

import threading
import time
from collections.abc import Callable, Iterable
from socketserver import ThreadingMixIn
from typing import Any, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app

_STOP_POLL_SECONDS: Final = 0.05
HEARTBEAT_LIMIT_SECONDS: Final = 60.0
"""A loop that has not turned for this long hangs: Kubernetes may restart it."""

StartResponse = Callable[[str, list[tuple[str, str]]], Any]


class Health:
    """Whether the service lives (its loop beats) and is ready (it has what it needs). Safe between threads."""

    def __init__(self, now_seconds: Callable[[], float] = time.monotonic) -> None:
        self._now_seconds = now_seconds
        self._beat_seconds = now_seconds()
        self._missing = "not started"

    def beat(self) -> None:
        """The main loop turned once more."""
        self._beat_seconds = self._now_seconds()

    def ready(self) -> None:
        """The service has all it needs."""
        self._missing = ""

    def unready(self, missing: str) -> None:
        """The service waits for `missing`."""
        self._missing = missing

    @property
    def missing(self) -> str:
        """What the service waits for; empty when it is ready."""
        return self._missing

    @property
    def is_alive(self) -> bool:
        """Whether the loop turned within `HEARTBEAT_LIMIT_SECONDS`."""
        return self._now_seconds() - self._beat_seconds < HEARTBEAT_LIMIT_SECONDS


class TelemetryServer:
    """Serves the three paths from a thread of its own."""

    def __init__(self, host: str, port: int, registry: CollectorRegistry, health: Health) -> None:
        self._metrics = make_wsgi_app(registry)
        self._health = health
        self._server = make_server(host, port, self._answer, _Server, _QuietHandler)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_STOP_POLL_SECONDS,), name="telemetry", daemon=True
        )

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def stop(self) -> None:
        """Stop serving and free the port."""
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path == "/metrics":
            metrics: Iterable[bytes] = self._metrics(environ, start_response)
            return metrics
        if path == "/healthz":
            return _text(start_response, self._health.is_alive, "alive", "the main loop hangs")
        if path == "/readyz":
            missing = self._health.missing
            return _text(start_response, not missing, "ready", f"waiting for: {missing}")
        start_response("404 Not Found", [("Content-Type", "text/plain")])
        return [b"not found\n"]


def _text(start_response: StartResponse, good: bool, yes: str, no: str) -> list[bytes]:
    start_response("200 OK" if good else "503 Service Unavailable", [("Content-Type", "text/plain")])
    return [(yes if good else no).encode() + b"\n"]


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: a scrape every few seconds is no news."""
