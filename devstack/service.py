"""Our own services as child processes."""

import http.client
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, Self
from urllib.error import URLError
from urllib.request import urlopen

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from devstack.process import ChildProcess

READY_TIMEOUT_S: Final = 60.0
# A service refuses what it does not know under its prefix, so nothing of the caller's environment may get there.
PREFIXES: Final = ("DECISION_", "ENRICHER_", "TRAINER_", "SMS_")
_PROBE_TIMEOUT_S: Final = 1.0


class ServiceProcess(ChildProcess):
    """`python -m <module>` with an environment, and the probe that tells when it answers."""

    def __init__(
        self,
        name: str,
        module: str,
        environment: Mapping[str, str],
        *,
        ready: Callable[[], bool],
        log_directory: Path,
        arguments: Sequence[str] = (),
        niceness: int = 0,
    ) -> None:
        """`environment` is laid over the caller's, less the variables of all services."""
        command = [sys.executable, "-m", module, *arguments]
        super().__init__(
            name,
            command,
            log=log_directory / f"{name}.log",
            environment=service_environment(environment),
            niceness=niceness,
        )
        self._ready = ready

    @classmethod
    def launch(
        cls,
        name: str,
        module: str,
        environment: Mapping[str, str],
        *,
        ready: Callable[[], bool],
        log_directory: Path,
        arguments: Sequence[str] = (),
        niceness: int = 0,
    ) -> Self:
        """Constructs it and starts it; `wait_until_ready` is the next call."""
        service = cls(
            name,
            module,
            environment,
            ready=ready,
            log_directory=log_directory,
            arguments=arguments,
            niceness=niceness,
        )
        service.start()
        return service

    def is_ready(self) -> bool:
        """Whether it says now that it is ready."""
        return self._ready()

    def wait_until_ready(self, timeout_s: float = READY_TIMEOUT_S) -> None:
        """Polls until it is ready. Raises ProcessFailed with the end of its log when it ends first or takes longer."""
        self.wait_ready(self._ready, timeout_s)


def service_environment(own: Mapping[str, str]) -> dict[str, str]:
    """The caller's environment without any service's variables, and `own`."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(PREFIXES)}
    return {**inherited, **own}


def http_ready(url: str) -> Callable[[], bool]:
    """A probe: that URL answers 200."""

    def probe() -> bool:
        try:
            with urlopen(url, timeout=_PROBE_TIMEOUT_S) as answer:
                return bool(answer.status == http.HTTPStatus.OK)
        except (URLError, OSError, http.client.HTTPException):
            return False

    return probe


def grpc_ready(target: str) -> Callable[[], bool]:
    """A probe: the standard gRPC health service of `target` (host:port) says SERVING."""

    def probe() -> bool:
        with grpc.insecure_channel(target) as channel:
            try:
                answer = health_pb2_grpc.HealthStub(channel).Check(
                    health_pb2.HealthCheckRequest(), timeout=_PROBE_TIMEOUT_S
                )
            except grpc.RpcError:
                return False
            return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    return probe
