"""The whole system: the parts, the topics and our own services on top."""

from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

from devstack.environment import Addresses, Environments, choose_addresses
from devstack.keys import Keys, generate_keys
from devstack.ports import LOOPBACK
from devstack.process import BEHIND_ANSWERS
from devstack.service import ServiceProcess, grpc_ready, http_ready
from devstack.stack import Stack
from devstack.topics import DEFAULT_PARTITIONS, create_topics

_STOP_TIMEOUT_S: Final = 15.0


class Service(Enum):
    """Our services that stay running."""

    DECISION = "decision"
    ENRICHER = "enricher"
    SMS = "sms"


@dataclass(frozen=True, slots=True)
class System:
    """Services running on a stack. `environments` also has the trainer's, for whoever runs it."""

    stack: Stack
    environments: Environments
    services: dict[Service, ServiceProcess]

    @property
    def addresses(self) -> Addresses:
        """Where the services listen."""
        return self.environments.addresses

    @classmethod
    @contextmanager
    def start(
        cls,
        stack: Stack,
        *,
        services: Collection[Service] = frozenset(Service),
        partitions: int = DEFAULT_PARTITIONS,
        model_store: Path | None = None,
        keys: Keys | None = None,
        campaign_file: Path | None = None,
    ) -> Iterator["System"]:
        """Creates the topics, starts `services`, waits until all are ready and stops them in order at the end.

        `model_store`: default a new directory that goes with the stack. Raises ProcessFailed, KafkaException.
        """
        store = model_store or stack.directory / "models"
        store.mkdir(parents=True, exist_ok=True)
        environments = Environments(stack, keys or generate_keys(), store, choose_addresses(), campaign_file)
        create_topics(stack.kafka, partitions)
        system = cls(stack, environments, {})
        with ExitStack() as cleanup:
            cleanup.callback(system.stop)
            for service in Service:
                if service in services:
                    system.launch(service)
            for process in system.services.values():
                process.wait_until_ready()
            yield system

    def launch(self, service: Service) -> ServiceProcess:
        """Starts one service on its ports; a replacement for one that has ended."""
        process = ServiceProcess.launch(
            service.value,
            f"services.{service.value}",
            self._environment(service),
            ready=self._probe(service),
            log_directory=self.stack.log_directory,
            niceness=0 if service is Service.DECISION else BEHIND_ANSWERS,
        )
        self.services[service] = process
        return process

    def metrics_url(self, service: Service) -> str:
        """URL of its Prometheus metrics."""
        return f"http://{LOOPBACK}:{self._metrics_port(service)}/metrics"

    def stop(self) -> None:
        """SIGTERM to all, then waits for each. A service that hangs is killed."""
        for process in self.services.values():
            process.request_stop()
        for process in self.services.values():
            process.terminate(_STOP_TIMEOUT_S)

    def _environment(self, service: Service) -> dict[str, str]:
        environments: dict[Service, Callable[[], dict[str, str]]] = {
            Service.DECISION: self.environments.decision,
            Service.ENRICHER: self.environments.enricher,
            Service.SMS: self.environments.sms,
        }
        return environments[service]()

    def _probe(self, service: Service) -> Callable[[], bool]:
        if service is Service.DECISION:
            return grpc_ready(self.addresses.decision)
        return http_ready(f"http://{LOOPBACK}:{self._metrics_port(service)}/readyz")

    def _metrics_port(self, service: Service) -> int:
        ports = {
            Service.DECISION: self.addresses.decision_metrics_port,
            Service.ENRICHER: self.addresses.enricher_metrics_port,
            Service.SMS: self.addresses.sms_metrics_port,
        }
        return ports[service]
