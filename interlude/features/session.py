"""Where in a session a listener is now: from what the enricher wrote, at the moment of a decision."""

import struct
from typing import Final

from interlude.features.codec import HotFeatures
from interlude.features.schema import SESSION_PAUSE_MS

_SECOND_MS: Final = 1000


def in_session(listener: HotFeatures | None, now_ms: int) -> bool:
    """Whether a track that begins now continues the newest session; false: it begins a new one."""
    newest_ms = None if listener is None else listener.newest_listen_ms
    return newest_ms is not None and now_ms - newest_ms <= SESSION_PAUSE_MS


def session_tracks(listener: HotFeatures | None, now_ms: int) -> int:
    """Tracks that the session has had when one begins now."""
    return listener.session_tracks if listener is not None and in_session(listener, now_ms) else 0


def nth_newest_listen_ms(listener: HotFeatures, count: int) -> int | None:
    """When the `count`-th newest listen began (1: the newest), to the second and not later; None where fewer are known."""
    if listener.newest_listen_ms is None or 4 * count > len(listener.recent_listens):
        return None
    ago_seconds: int = struct.unpack_from("<I", listener.recent_listens, 4 * (count - 1))[0]
    return listener.newest_listen_ms - ago_seconds * _SECOND_MS
