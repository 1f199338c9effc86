"""TLS of the grpcio front: certificates that were renewed serve the connections to come."""

import threading
from collections import Counter, deque
from typing import Any, Final

import grpc
import structlog

from services.decision.certificates import CertificateFiles, Certificates, RenewedCertificates, UnusableCertificates

_LOOK_SECONDS: Final = 1.0
"""Between two looks at the files: a few small reads, as often as the native front does it."""

log = structlog.get_logger()


class RenewedCredentials:
    """What gRPC's server is opened with, and what it takes from then on. Keep it as long as the server: gRPC does not."""

    def __init__(self, files: CertificateFiles) -> None:
        """Raises `UnusableCertificates`."""
        self._certificates = RenewedCertificates(files)
        self._renewed: deque[grpc.ServerCertificateConfiguration] = deque(maxlen=1)
        self.counters = Counter(certificates_reloaded=0, certificates_refused=0)
        """By the names of native/README.md."""
        self.server = grpc.dynamic_ssl_server_credentials(
            _configuration(self._certificates.current),
            self._take_renewed,
            require_client_authentication=bool(files.client_ca),
        )

    def watch(self, stop: threading.Event) -> None:
        """Look at the files until `stop`. On a thread that nobody waits for: a file system may hang."""
        while not stop.wait(_LOOK_SECONDS):
            self._look()

    def _look(self) -> None:
        try:
            if not self._certificates.look():
                return
        except UnusableCertificates as error:
            self.counters["certificates_refused"] += 1
            log.error("new certificates are not used", reason=str(error))
            return
        self._renewed.append(_configuration(self._certificates.current))
        self.counters["certificates_reloaded"] += 1
        log.info("new certificates are in use")

    def _take_renewed(self) -> Any:
        """Asked by gRPC before each handshake, on a thread of its own: None when nothing changed.

        A configuration is handed over once: gRPC owns it from then on.
        """
        try:
            return self._renewed.pop()
        except IndexError:
            return None


def _configuration(certificates: Certificates) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration([(certificates.key, certificates.chain)], certificates.client_ca)
