"""The campaign document in a file: read as a whole, and followed while a service runs.

A document with one problem is refused with all of its problems; nothing of it is taken, and the one before serves on.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog
from pydantic import ValidationError

from interlude.contacts.campaign import DEFAULT_CAMPAIGNS, Campaigns
from interlude.contacts.campaign_problems import find_problems, validate
from interlude.contacts.campaign_text import UnreadableText, parse_text

SIZE_LIMIT_BYTES: Final = 1 << 20
"""As much as a ConfigMap holds. More is a mistake, and would be read again and again by every replica."""

log = structlog.get_logger()

Check = Callable[[Campaigns], Sequence[str]]
"""More problems of a document that is well-formed, each with its path: what only one service can know."""


@dataclass(eq=False)
class InvalidCampaigns(Exception):
    """A campaign document that must not be used; one sentence per problem, each with its path."""

    problems: tuple[str, ...]

    def __str__(self) -> str:
        return "the campaigns are not valid:\n" + "\n".join(f"  - {problem}" for problem in self.problems)


def no_more_checks(_campaigns: Campaigns) -> Sequence[str]:
    """For services that take every well-formed document."""
    return ()


def read_campaigns(path: str, check: Check = no_more_checks) -> Campaigns:
    """The document at `path`, the built-in one for an empty path. Raises `InvalidCampaigns` with every problem."""
    return parse_campaigns(_read(path), path, check) if path else _checked(DEFAULT_CAMPAIGNS, check)


def parse_campaigns(content: bytes, name: str, check: Check = no_more_checks) -> Campaigns:
    """The campaigns that `content` describes; `name` is what problems call it. Raises `InvalidCampaigns`."""
    if len(content) > SIZE_LIMIT_BYTES:
        raise InvalidCampaigns((f"{name} has more than {SIZE_LIMIT_BYTES} bytes",))
    try:
        document = parse_text(content)
    except UnreadableText as error:
        raise InvalidCampaigns((f"{name} {error}",)) from error
    try:
        campaigns = validate(document)
    except ValidationError as error:
        raise InvalidCampaigns(find_problems(document, error)) from error
    return _checked(campaigns, check)


def _checked(campaigns: Campaigns, check: Check) -> Campaigns:
    problems = tuple(check(campaigns))
    if problems:
        raise InvalidCampaigns(problems)
    return campaigns


def _read(path: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            return file.read(SIZE_LIMIT_BYTES + 1)
    except OSError as error:
        raise InvalidCampaigns((f"{path} cannot be read: {error.strerror}",)) from error


class CampaignFile:
    """Follows the document at `path`; an empty path is the built-in document, which never changes.

    It is known by its content: a ConfigMap's file is a symbolic link that is swapped, and times and inodes say nothing.
    """

    def __init__(
        self,
        path: str,
        on_loaded: Callable[[Campaigns], None],
        on_refused: Callable[[tuple[str, ...]], None],
        check: Check = no_more_checks,
    ) -> None:
        """Reads it for the first time. `on_loaded(campaigns)` is told of every document that is taken, this first one included,
        `on_refused(problems)` of every one that is not. Raises `InvalidCampaigns`: a service must not start without any."""
        self._path = path
        self._on_loaded = on_loaded
        self._on_refused = on_refused
        self._check = check
        content = _read(path) if path else b""
        self._seen: bytes | None = content
        self._refused: tuple[str, ...] = ()
        self._current = parse_campaigns(content, path, check) if path else _checked(DEFAULT_CAMPAIGNS, check)
        self._load(self._current)

    @property
    def current(self) -> Campaigns:
        """The campaigns that hold now. Read once per batch: the next batch may see others."""
        return self._current

    @property
    def is_refused(self) -> bool:
        """Whether what the file holds now is not what holds: whoever starts with it does not start."""
        return bool(self._refused)

    def watch(self, stop: threading.Event, poll_seconds: float) -> None:
        """Refresh until `stop`; for a thread of its own."""
        while not stop.wait(poll_seconds):
            self.refresh()

    def refresh(self) -> None:
        """Look at the file once, and take what is in it if that is new and without a problem."""
        if not self._path:
            return
        try:
            content = self._read()
            if content == self._seen:
                return
            self._seen = content
            campaigns = parse_campaigns(content, self._path, self._check)
        except InvalidCampaigns as error:
            self._refuse(error.problems)
            return
        self._refused = ()
        if campaigns.version != self._current.version:
            self._load(campaigns)

    def _read(self) -> bytes:
        try:
            return _read(self._path)
        except InvalidCampaigns:
            self._seen = None  # the same content after an absence is news again: it is there
            raise

    def _load(self, campaigns: Campaigns) -> None:
        campaigns.find("")  # builds its index here rather than in a decision
        self._current = campaigns
        self._on_loaded(campaigns)
        log.info("campaigns loaded", version=campaigns.version)

    def _refuse(self, problems: tuple[str, ...]) -> None:
        """Once for each way of being wrong: a file that stays away is one refusal, not one per poll."""
        if problems == self._refused:
            return
        self._refused = problems
        self._on_refused(problems)
        log.error("campaigns refused", problems=problems, serving=self._current.version)
