"""The grpcio front: one server with the decision service, health and reflection."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from services.decision.methods import SERVICE_NAME, method_handlers
from services.decision.servicer import DecisionServicer
from services.decision.settings import DecisionSettings

REQUEST_BYTES_LIMIT = 256 * 1024
"""A full batch has some 50 KB."""

CONNECTION_AGE_MS = 30 * 60 * 1000


class PortTaken(Exception):
    """The address to listen on is not free."""


class GrpcFront:
    """A gRPC server that reports SERVING while it answers, and NOT_SERVING once it is told to stop."""

    def __init__(
        self, settings: DecisionSettings, servicer: DecisionServicer, extra: Iterable[grpc.GenericRpcHandler] = ()
    ) -> None:
        """`extra` handlers are served beside the service (the bench measures a no-op on the same server)."""
        self._health = health.HealthServicer()
        self._server = grpc.server(
            ThreadPoolExecutor(settings.worker_threads, thread_name_prefix="answer"),
            maximum_concurrent_rpcs=settings.concurrent_calls,
            options=[
                ("grpc.max_receive_message_length", REQUEST_BYTES_LIMIT),
                ("grpc.so_reuseport", 0),
                # Players keep one connection for hours and may ping it; a proxy between drops silent ones.
                ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
                ("grpc.keepalive_permit_without_calls", 1),
                # A player that stays connected for hours finds replicas that came later; calls in progress end first.
                ("grpc.max_connection_age_ms", CONNECTION_AGE_MS),
            ],
        )
        handlers = method_handlers(servicer)
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE_NAME, handlers),))
        self._server.add_registered_method_handlers(SERVICE_NAME, handlers)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        reflection.enable_server_reflection((SERVICE_NAME, health.SERVICE_NAME, reflection.SERVICE_NAME), self._server)
        self._server.add_generic_rpc_handlers(tuple(extra))
        try:
            self.port = self._server.add_insecure_port(settings.listen)
        except RuntimeError as error:
            raise PortTaken(f"cannot listen on {settings.listen}: the address is taken or not ours") from error

    def start(self) -> None:
        """Begin to answer."""
        self._server.start()
        self._report(health_pb2.HealthCheckResponse.SERVING)

    def stop(self, grace_seconds: float) -> None:
        """Take no new calls, let those in progress end within `grace_seconds`."""
        self._report(health_pb2.HealthCheckResponse.NOT_SERVING)
        self._server.stop(grace_seconds).wait()

    def _report(self, status: "health_pb2.HealthCheckResponse.ServingStatus") -> None:
        for service in ("", SERVICE_NAME):
            self._health.set(service, status)
