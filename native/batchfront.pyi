"""A gRPC server that hands batches of raw requests to one Python call. The README beside it says how it behaves."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias, final

Answer: TypeAlias = bytes | tuple[int, str]
"""A response message, or an error's gRPC status code (1 to 16) and a text for the caller."""

Handler: TypeAlias = Callable[[str, list[bytes], list[float]], list[Answer]]
"""`handle(method, bodies, remaining_seconds)` returns one answer for each body, in order.

`method` is the full path. `remaining_seconds` is what is left of each caller's deadline; `math.inf`: it set none.
"""

@final
class Front:
    """One listening socket, its network thread, and the line of requests that wait for Python."""

    port: int
    """Where it listens: of use when `listen` ended in `:0`."""

    def __new__(
        cls,
        listen: str,
        methods: Sequence[str],
        handle: Handler,
        *,
        echoes: Mapping[str, bytes] = {},
        descriptor_set: bytes = b"",
        batch_limit: int = 64,
        in_flight_limit: int = 1024,
        queue_limit_ms: int = 20,
        retry_after_ms: int = 100,
        message_bytes_limit: int = 262_144,
        connection_age_ms: int = 1_800_000,
        connection_age_grace_ms: int = 30_000,
        keepalive_interval_ms: int = 60_000,
        keepalive_timeout_ms: int = 20_000,
        spin_us: int = 50,
        certificate_file: str = "",
        key_file: str = "",
        client_ca_file: str = "",
        reuse_port: bool = False,
    ) -> Front:
        """Binds `listen` (`host:port`), but accepts nothing yet.

        Raises OSError when the address cannot be had, ValueError that lists all arguments that are wrong.
        """

    def start(self) -> None:
        """Accepts connections, on a thread of its own. Once; raises RuntimeError the second time."""

    def work(self) -> None:
        """Takes batches and calls the handler until the front is stopped; from one or several threads of the caller's.

        Raises what the handler raises if that is no `Exception` (SystemExit, KeyboardInterrupt), after failing the batch,
        and RuntimeError if the network's thread has failed.
        """

    def set_serving(self, service: str, serving: bool) -> None:
        """What `grpc.health.v1` says of a service; "" is the server as a whole, which serves from the start."""

    def stop(self, grace_seconds: float) -> None:
        """Accepts nothing more, tells clients to go elsewhere, lets calls in progress end within the grace, and returns.

        `work()` returns afterwards, so it must be running on another thread for the calls to end. Does not hold the GIL.
        """

    def counters(self) -> dict[str, int]:
        """What has happened since the start, by name; the README explains each."""
