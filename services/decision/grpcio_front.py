"""The grpcio front: needs nothing but pip. One event loop collects what arrives, and hands it over in batches.

Calls that arrive while a batch is being answered make the next one. The batch is answered on the loop itself: a thread to
answer on costs two hand-overs of the interpreter per batch, and the loop has nothing better to do (ADR 0011).
"""

import asyncio
import math
import threading
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Future
from typing import Any, Final, NamedTuple

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from services.decision.fronts import BATCH_LIMIT, CONNECTION_AGE_MS, NO_ECHOES, REQUEST_BYTES_LIMIT, PortTaken
from services.decision.methods import METHODS, SERVICE_NAME, Handle, Reply, Status, path_of

GATHER_TURNS: Final = 10
"""Turns of the loop without another call after which a batch is complete, some 10 µs each. grpcio takes up one call after the
other, and each needs several turns to come up: looking once, nearly all batches are of one (ADR 0011 has the figures)."""

_OPTIONS: Final = (
    ("grpc.max_receive_message_length", REQUEST_BYTES_LIMIT),
    ("grpc.so_reuseport", 0),
    # Players keep one connection for hours and may ping it; a proxy between drops silent ones.
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.max_connection_age_ms", CONNECTION_AGE_MS),
)

_CODES: Final = {code.value[0]: code for code in grpc.StatusCode}
_EXPIRED: Final = Status(grpc.StatusCode.DEADLINE_EXCEEDED.value[0], "the deadline passed before the call was begun")

_Context = grpc.aio.ServicerContext[bytes, bytes]
Method = Callable[[bytes, _Context], Awaitable[bytes]]


class _Call(NamedTuple):
    body: bytes
    expires_seconds: float
    reply: "asyncio.Future[Reply]"


class Collector:
    """Gathers calls into batches. All of it happens on one event loop."""

    def __init__(self, handle: Handle, in_flight_limit: int) -> None:
        self._handle = handle
        self._in_flight_limit = in_flight_limit
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[str, list[_Call]] = {}
        self.in_flight = 0

    def method(self, path: str) -> Method:
        """What gRPC calls for each call of the method at `path`."""
        waiting = self._waiting[path] = []

        async def answer(body: bytes, context: _Context) -> bytes:
            if self.in_flight >= self._in_flight_limit:
                await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "too many calls in flight; come back later")
            self.in_flight += 1
            try:
                if not waiting:
                    self._loop.call_soon(self._gather, path, 0, 0)
                call = _Call(body, self._expiry(context), self._loop.create_future())
                waiting.append(call)
                reply = await call.reply
            finally:
                self.in_flight -= 1
            if not isinstance(reply, bytes):
                code, message = reply
                await context.abort(_CODES[code], message)
            return reply

        return answer

    def _expiry(self, context: _Context) -> float:
        remaining = context.time_remaining()
        return math.inf if remaining is None else self._loop.time() + remaining

    def _gather(self, path: str, seen: int, idle_turns: int) -> None:
        """Answer once the batch is full or no call has come up for a while."""
        waiting = len(self._waiting[path])
        idle_turns = 0 if waiting > seen else idle_turns + 1
        if waiting >= BATCH_LIMIT or idle_turns >= GATHER_TURNS:
            self._answer_waiting(path)
        else:
            self._loop.call_soon(self._gather, path, waiting, idle_turns)

    def _answer_waiting(self, path: str) -> None:
        waiting = self._waiting[path]
        batch, waiting[:BATCH_LIMIT] = waiting[:BATCH_LIMIT], []
        if waiting:
            self._loop.call_soon(self._gather, path, 0, 0)
        now = self._loop.time()
        begun = []
        for call in batch:
            if call.reply.done():
                continue  # its caller has gone
            if call.expires_seconds > now:
                begun.append(call)
            else:
                call.reply.set_result(_EXPIRED)
        if begun:
            replies = self._handle(path, [call.body for call in begun], [call.expires_seconds - now for call in begun])
            for call, reply in zip(begun, replies, strict=True):
                call.reply.set_result(reply)


class GrpcioFront:
    """A gRPC server that reports SERVING while it answers, and NOT_SERVING once it is told to stop."""

    def __init__(
        self, listen: str, handle: Handle, *, in_flight_limit: int, echoes: Mapping[str, bytes] = NO_ECHOES
    ) -> None:
        self._listen = listen
        self._handle = handle
        self._in_flight_limit = in_flight_limit
        self._echoes = echoes
        self._started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event, Collector]] = Future()
        self._grace_seconds = 0.0
        self._thread = threading.Thread(target=self._run, name="front", daemon=True)

    @property
    def in_flight(self) -> int:
        """Calls that have arrived and have no answer yet."""
        return self._started.result()[2].in_flight if self._started.done() else 0

    @property
    def alive(self) -> bool:
        """Whether the event loop runs."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin to answer. Raises `PortTaken`."""
        self._thread.start()
        self._started.result()

    def stop(self, grace_seconds: float) -> None:
        """Take no new calls, let those in progress end within `grace_seconds`."""
        loop, stop, _ = self._started.result()
        self._grace_seconds = grace_seconds
        loop.call_soon_threadsafe(stop.set)
        self._thread.join()

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        collector, stop = Collector(self._handle, self._in_flight_limit), asyncio.Event()
        server, health_servicer = grpc.aio.server(options=_OPTIONS), health.aio.HealthServicer()
        server.add_generic_rpc_handlers((_Methods(collector, self._echoes),))
        health_pb2_grpc.add_HealthServicer_to_server(health_servicer, server)
        reflection.enable_server_reflection((SERVICE_NAME, health.SERVICE_NAME, reflection.SERVICE_NAME), server)
        try:
            server.add_insecure_port(self._listen)
        except RuntimeError:
            self._started.set_exception(PortTaken(f"cannot listen on {self._listen}: the address is taken or not ours"))
            return
        await server.start()
        await _report(health_servicer, health_pb2.HealthCheckResponse.SERVING)
        self._started.set_result((asyncio.get_running_loop(), stop, collector))
        await stop.wait()
        await _report(health_servicer, health_pb2.HealthCheckResponse.NOT_SERVING)
        await server.stop(self._grace_seconds)


class _Methods(grpc.GenericRpcHandler):
    """The methods by their paths, as raw bytes."""

    def __init__(self, collector: Collector, echoes: Mapping[str, bytes]) -> None:
        methods = {path_of(name): collector.method(path_of(name)) for name in METHODS}
        methods |= {path: _echo(body) for path, body in echoes.items()}
        self._handlers: dict[str, Any] = {
            path: grpc.unary_unary_rpc_method_handler(method) for path, method in methods.items()
        }

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """The handler of one call, None for a method that does not exist."""
        return self._handlers.get(handler_call_details.method)


def _echo(body: bytes) -> Method:
    async def answer(_body: bytes, _context: _Context) -> bytes:
        return body

    return answer


async def _report(servicer: health.aio.HealthServicer, status: "health_pb2.HealthCheckResponse.ServingStatus") -> None:
    for service in ("", SERVICE_NAME):
        await servicer.set(service, status)
