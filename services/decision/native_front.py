"""The native front: calls become batches in Rust (`native/`, module batchfront), where that is built and installed."""

import threading
from collections.abc import Mapping

from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from interlude.v1 import decision_pb2
from services.decision.certificates import CertificateFiles, UnusableCertificates
from services.decision.fronts import (
    BATCH_LIMIT,
    CONNECTION_AGE_MS,
    NO_ECHOES,
    QUEUE_LIMIT_MS,
    REQUEST_BYTES_LIMIT,
    RETRY_AFTER_MS,
    PortTaken,
)
from services.decision.methods import METHODS, SERVICE_NAME, Handle, path_of

try:
    import batchfront
except ImportError:  # no Rust compiler was there when the environment was made
    AVAILABLE = False
else:
    AVAILABLE = True


class NativeFront:
    """A gRPC server in Rust, and one thread that answers its batches: more would only fight for the interpreter."""

    def __init__(
        self,
        listen: str,
        handle: Handle,
        *,
        in_flight_limit: int,
        echoes: Mapping[str, bytes] = NO_ECHOES,
        certificates: CertificateFiles | None = None,
    ) -> None:
        """Raises `PortTaken`, `UnusableCertificates`."""
        tls = certificates or CertificateFiles("", "")
        try:
            self._front = batchfront.Front(
                listen,
                [path_of(method) for method in METHODS],
                handle,
                echoes=dict(echoes),
                descriptor_set=_descriptors(),
                batch_limit=BATCH_LIMIT,
                in_flight_limit=in_flight_limit,
                queue_limit_ms=QUEUE_LIMIT_MS,
                retry_after_ms=RETRY_AFTER_MS,
                message_bytes_limit=REQUEST_BYTES_LIMIT,
                connection_age_ms=CONNECTION_AGE_MS,
                certificate_file=tls.certificate,
                key_file=tls.key,
                client_ca_file=tls.client_ca,
            )
        except OSError as error:
            raise PortTaken(f"cannot listen on {listen}: the address is taken or not ours") from error
        except ValueError as error:  # it names what is wrong: address or files, as all else is ours
            raise (UnusableCertificates if certificates else PortTaken)(str(error)) from error
        self._worker = threading.Thread(target=self._front.work, name="answers", daemon=True)
        self._report(serving=False)

    @property
    def in_flight(self) -> int:
        """Calls that have arrived and have no answer yet."""
        return self._front.counters()["in_flight"]

    @property
    def alive(self) -> bool:
        """Whether the thread that answers runs."""
        return self._worker.is_alive()

    def counters(self) -> Mapping[str, int]:
        """What has become of the calls since the start."""
        return self._front.counters()

    def start(self) -> None:
        """Begin to answer."""
        self._worker.start()
        self._report(serving=True)
        self._front.start()

    def stop(self, grace_seconds: float) -> None:
        """Take no new calls, let those in progress end within `grace_seconds`."""
        self._report(serving=False)
        self._front.stop(grace_seconds)
        self._worker.join()

    def _report(self, *, serving: bool) -> None:
        for service in ("", SERVICE_NAME):
            self._front.set_serving(service, serving)


def _descriptors() -> bytes:
    """The service's file and all that it needs, for reflection."""
    found: dict[str, FileDescriptor] = {}

    def collect(file: FileDescriptor) -> None:
        for dependency in file.dependencies:
            collect(dependency)
        found[file.name] = file

    collect(decision_pb2.DESCRIPTOR)
    files = FileDescriptorSet()
    for file in found.values():
        file.CopyToProto(files.file.add())
    return files.SerializeToString()
