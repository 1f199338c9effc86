"""The grpcio front: needs nothing but pip. One event loop takes up what arrives; `collector` makes batches of it.

Calls that arrive while a batch is being answered make the next one. The batch is answered on the loop itself: a thread to
answer on costs two hand-overs of the interpreter per batch, and the loop has nothing better to do (ADR 0011).
"""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Future
from typing import Any, Final, NoReturn

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from services.decision.certificates import CertificateFiles
from services.decision.collector import Ask, Collector, Expired, Overloaded
from services.decision.fronts import (
    BATCH_LIMIT,
    CONNECTION_AGE_MS,
    NO_ECHOES,
    REQUEST_BYTES_LIMIT,
    RETRY_AFTER_MS,
    PortTaken,
)
from services.decision.grpcio_credentials import RenewedCredentials
from services.decision.methods import METHODS, SERVICE_NAME, Handle, path_of
from services.decision.retry_info import TRAILER, with_retry_info

PENDING_LIMIT: Final = 2 * BATCH_LIMIT
"""Calls that have arrived and that the event loop has not taken up yet. More are ended by grpcio's core, as CANCELLED and without
asking us. With its own limits (1,000, and 3,000 for certain), every call has expired by the time that it is taken up once more
come than can be answered, and none is answered any more (`make chaos`)."""

_OPTIONS: Final = (
    ("grpc.max_receive_message_length", REQUEST_BYTES_LIMIT),
    ("grpc.server.max_pending_requests", PENDING_LIMIT),
    ("grpc.server.max_pending_requests_hard_limit", PENDING_LIMIT),
    ("grpc.so_reuseport", 0),
    # Players keep one connection for hours and may ping it; a proxy between drops silent ones.
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.max_connection_age_ms", CONNECTION_AGE_MS),
)

_CODES: Final = {code.value[0]: code for code in grpc.StatusCode}
_DEADLINE_EXCEEDED: Final = "the deadline passed before the call was begun"

_CALLER_GONE: Final = "ExecuteBatchError"
"""What grpcio raises, and logs with a traceback, when there is nobody to send an answer to. Its class is private."""

_Context = grpc.aio.ServicerContext[bytes, bytes]
Method = Callable[[bytes, _Context], Awaitable[bytes]]


class GrpcioFront:
    """A gRPC server that reports SERVING while it answers, and NOT_SERVING once it is told to stop."""

    def __init__(
        self,
        listen: str,
        handle: Handle,
        *,
        in_flight_limit: int,
        echoes: Mapping[str, bytes] = NO_ECHOES,
        certificates: CertificateFiles | None = None,
    ) -> None:
        """Raises `UnusableCertificates`."""
        self._listen = listen
        self._handle = handle
        self._in_flight_limit = in_flight_limit
        self._echoes = echoes
        self._credentials = RenewedCredentials(certificates) if certificates else None
        self._started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event, Collector]] = Future()
        self._grace_seconds = 0.0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="front", daemon=True)

    @property
    def in_flight(self) -> int:
        """Calls that have arrived and have no answer yet."""
        return self._started.result()[2].in_flight if self._started.done() else 0

    @property
    def alive(self) -> bool:
        """Whether the event loop runs."""
        return self._thread.is_alive()

    def counters(self) -> Mapping[str, int]:
        """What has become of the calls since the start; connections and broken messages are grpcio's own affair."""
        calls = self._started.result()[2].counters if self._started.done() else {}
        return {**calls, **(self._credentials.counters if self._credentials else {})}

    def start(self) -> None:
        """Begin to answer. Raises `PortTaken`."""
        self._thread.start()
        self._started.result()
        if self._credentials:
            watch = self._credentials.watch
            threading.Thread(target=watch, args=(self._stopping,), name="certificates", daemon=True).start()

    def stop(self, grace_seconds: float) -> None:
        """Take no new calls, let those in progress end within `grace_seconds`."""
        loop, stop, _ = self._started.result()
        self._stopping.set()
        self._grace_seconds = grace_seconds
        loop.call_soon_threadsafe(stop.set)
        self._thread.join()

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        logging.getLogger("grpc._cython.cygrpc").addFilter(_is_news)
        collector, stop = Collector(self._handle, self._in_flight_limit), asyncio.Event()
        server, health_servicer = grpc.aio.server(options=_OPTIONS), health.aio.HealthServicer()
        server.add_generic_rpc_handlers((_Methods(collector, self._echoes),))
        health_pb2_grpc.add_HealthServicer_to_server(health_servicer, server)
        reflection.enable_server_reflection((SERVICE_NAME, health.SERVICE_NAME, reflection.SERVICE_NAME), server)
        try:
            self._bind(server)
        except RuntimeError:
            self._started.set_exception(PortTaken(f"cannot listen on {self._listen}: the address is taken or not ours"))
            return
        await server.start()
        await _report(health_servicer, health_pb2.HealthCheckResponse.SERVING)
        self._started.set_result((asyncio.get_running_loop(), stop, collector))
        await stop.wait()
        await _report(health_servicer, health_pb2.HealthCheckResponse.NOT_SERVING)
        await server.stop(self._grace_seconds)

    def _bind(self, server: grpc.aio.Server) -> None:
        if self._credentials:
            server.add_secure_port(self._listen, self._credentials.server)
        else:
            server.add_insecure_port(self._listen)


class _Methods(grpc.GenericRpcHandler):
    """The methods by their paths, as raw bytes."""

    def __init__(self, collector: Collector, echoes: Mapping[str, bytes]) -> None:
        methods = {path_of(name): _method(collector.asking(path_of(name))) for name in METHODS}
        methods |= {path: _echo(body) for path, body in echoes.items()}
        self._handlers: dict[str, Any] = {
            path: grpc.unary_unary_rpc_method_handler(method) for path, method in methods.items()
        }

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """The handler of one call, None for a method that does not exist."""
        return self._handlers.get(handler_call_details.method)


def _method(ask: Ask) -> Method:
    """What grpcio calls for each call: an answer, or the status that it ends with."""

    async def answer(body: bytes, context: _Context) -> bytes:
        try:
            reply = await ask(body, context.time_remaining())
        except Overloaded as refusal:
            await _refuse(context, str(refusal))
        except Expired:
            await context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, _DEADLINE_EXCEEDED)
        if not isinstance(reply, bytes):
            code, message = reply
            await context.abort(_CODES[code], message)
        return reply

    return answer


async def _refuse(context: _Context, message: str) -> NoReturn:
    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    details = with_retry_info(code.value[0], message, RETRY_AFTER_MS)
    await context.abort(code, message, ((TRAILER, details),))


def _echo(body: bytes) -> Method:
    async def answer(_body: bytes, _context: _Context) -> bytes:
        return body

    return answer


def _is_news(record: logging.LogRecord) -> bool:
    """False for callers who went away: any of them could fill the log."""
    kind = record.exc_info[0] if record.exc_info else None
    return kind is None or kind.__name__ != _CALLER_GONE


async def _report(servicer: health.aio.HealthServicer, status: "health_pb2.HealthCheckResponse.ServingStatus") -> None:
    for service in ("", SERVICE_NAME):
        await servicer.set(service, status)
