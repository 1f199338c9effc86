"""The way to the operator for code that knows no event loop: a thread of its own runs one."""

import asyncio
import threading
from collections.abc import Coroutine, Sequence
from typing import Any, Final, Protocol

from services.sms.messages import OutgoingText
from services.sms.submission import SubmitResult

_STOP_SECONDS: Final = 5.0


class Link(Protocol):
    """A session that is kept bound: `SmppLink`."""

    @property
    def is_bound(self) -> bool: ...

    def keep_bound(self) -> Coroutine[Any, Any, None]: ...

    def submit_all(self, messages: Sequence[OutgoingText]) -> Coroutine[Any, Any, list[SubmitResult]]: ...


class Gateway:
    """Runs a link in a background thread."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="operator", daemon=True)
        self._bound: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to bind."""
        self._thread.start()

    @property
    def is_bound(self) -> bool:
        """Whether messages can be submitted now."""
        return self._link.is_bound

    def submit(self, messages: Sequence[OutgoingText]) -> list[SubmitResult]:
        """Submit together and wait; one result per message, in order."""
        return asyncio.run_coroutine_threadsafe(self._link.submit_all(messages), self._loop).result()

    def stop(self) -> None:
        """Unbind and end the thread."""
        self._loop.call_soon_threadsafe(self._cancel)
        self._thread.join(_STOP_SECONDS)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._bound = self._loop.create_task(self._link.keep_bound())
        try:
            self._loop.run_until_complete(self._bound)
        except asyncio.CancelledError:
            pass  # `stop`
        finally:
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()

    def _cancel(self) -> None:
        if self._bound is not None:
            self._bound.cancel()
