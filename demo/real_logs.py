"""Readers of the real logs: cust.csv, tracks.csv and clicks.csv of one directory. Pure but for reading the files.

What the files do not say, and what is assumed instead:

- Times are local and carry no zone. They are sent as that wall clock taken as UTC, with `utc_offset_minutes` 0 and an empty
  time zone, so that every local hour, and hence every day part, is the one in the file.
- `Level` 0, 1, 2 is Free, Silver, Gold; `Status` 1 is an active account; `SignDate` is when the profile was last changed.
- Consents are not in the data: whoever is active may be shown offers in the player, whoever has linked an app
  (`LinkedWithApps` 1) may be texted. Phones are fictional, made from the customer id. The codes of `Gender` are not
  explained and do not go with the names: it stays unspecified.
- Ids of plays repeat, so an event's id is the place of its line in the file and a hash of the line: the same line twice is two
  events, the same file twice is the same events.
- A click has no impression with it: it is an ad event of kind CLICK whose campaign is the ad's name in lower case.

A line that cannot be used becomes a `BadLine` and the rest goes on. Files are read a line at a time, whatever their size.
"""

import csv
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final, TypeVar

from demo.simulator import phone_of
from interlude.events.errors import InvalidEvent
from interlude.events.validation import check_ad_event, check_customer, check_listen
from interlude.v1 import events_pb2 as pb

CUSTOMERS_FILE: Final = "cust.csv"
LISTENS_FILE: Final = "tracks.csv"
CLICKS_FILE: Final = "clicks.csv"

_LINE_BYTES_LIMIT: Final = 64 * 1024
_CUSTOMER_COLUMNS: Final = 10
_LISTEN_COLUMNS: Final = 6
_CLICK_COLUMNS: Final = 4
_LEVELS: Final = {"0": pb.LEVEL_FREE, "1": pb.LEVEL_SILVER, "2": pb.LEVEL_GOLD}
_YES_OR_NO: Final = {"0": False, "1": True}
_DEVICES: Final = {"0": pb.DEVICE_PC, "1": pb.DEVICE_MOBILE}

ItemT = TypeVar("ItemT")


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that was left out; `number` counts from 1."""

    file: str
    number: int
    problem: str

    def __str__(self) -> str:
        return f"{self.file}:{self.number}: {self.problem}"


class LogsMissing(Exception):
    """The directory does not hold the logs. The message is one sentence."""


@dataclass(frozen=True, slots=True)
class RealLogs:
    """What the directory held: listens and clicks ordered by time, and the lines that could not be used."""

    customers: list[pb.Customer]
    listens: list[pb.Listen]
    clicks: list[pb.AdEvent]
    bad_lines: list[BadLine]


OnBadLine = Callable[[BadLine], None]


def read_logs(directory: Path, now_ms: int) -> RealLogs:
    """All three files of `directory` in memory. Raises `LogsMissing` when one is not there."""
    bad_lines: list[BadLine] = []
    customers = list(read_customers(directory, now_ms, bad_lines.append))
    listens = list(read_listens(directory, now_ms, bad_lines.append))
    clicks = list(read_clicks(directory, now_ms, bad_lines.append))
    listens.sort(key=lambda listen: listen.played_at_ms)
    clicks.sort(key=lambda click: click.at_ms)
    return RealLogs(customers, listens, clicks, bad_lines)


def check_logs(directory: Path) -> None:
    """Raises `LogsMissing` when one of the three files cannot be read."""
    for name in (CUSTOMERS_FILE, LISTENS_FILE, CLICKS_FILE):
        _open(directory / name).close()


def read_customers(directory: Path, now_ms: int, on_bad_line: OnBadLine) -> Iterator[pb.Customer]:
    """The profiles, a line at a time in the file's order. Raises `LogsMissing`."""
    return _items(directory / CUSTOMERS_FILE, _customer(now_ms), on_bad_line, header_lines=1)


def read_listens(directory: Path, now_ms: int, on_bad_line: OnBadLine) -> Iterator[pb.Listen]:
    """The listens, a line at a time in the file's order. Raises `LogsMissing`."""
    return _items(directory / LISTENS_FILE, _listen(now_ms), on_bad_line)


def read_clicks(directory: Path, now_ms: int, on_bad_line: OnBadLine) -> Iterator[pb.AdEvent]:
    """The clicks, a line at a time in the file's order. Raises `LogsMissing`."""
    return _items(directory / CLICKS_FILE, _click(now_ms), on_bad_line)


def _items(
    path: Path, parse: Callable[[list[str], str], ItemT], on_bad_line: OnBadLine, header_lines: int = 0
) -> Iterator[ItemT]:
    """`parse(fields, event id)` for every line; lines with problems go to `on_bad_line`."""
    for number, (offset, line) in enumerate(_lines(path), start=1):
        if number <= header_lines:
            continue
        try:
            if len(line) > _LINE_BYTES_LIMIT:
                raise ValueError(f"longer than {_LINE_BYTES_LIMIT} bytes")
            # Line by line: a quote left open spoils its own line and no other.
            (fields,) = csv.reader([line.decode()], strict=True)
            yield parse(fields, _event_id(path.stem, offset, line))
        except (ValueError, csv.Error, InvalidEvent) as error:
            on_bad_line(BadLine(path.name, number, str(error)))


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Each line with the offset of its first byte; of one beyond the limit only the begin, longer than the limit."""
    with _open(path) as file:
        offset = 0
        while line := file.readline(_LINE_BYTES_LIMIT + 2):
            begin, offset = offset, offset + len(line)
            while not line.endswith(b"\n") and (rest := file.readline(_LINE_BYTES_LIMIT)):
                offset += len(rest)
                if rest.endswith(b"\n"):
                    break
            yield begin, line.rstrip(b"\r\n")


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise LogsMissing(f"{path} cannot be read ({error.strerror}): name the directory of the three logs.") from error


def _event_id(source: str, offset: int, line: bytes) -> str:
    return f"{source}/{offset}/{hashlib.blake2b(line, digest_size=8).hexdigest()}"


def _customer(now_ms: int) -> Callable[[list[str], str], pb.Customer]:
    def parse(fields: list[str], _event_id: str) -> pb.Customer:
        _check_count(fields, _CUSTOMER_COLUMNS)
        customer_id, name, _gender, address, postal_code, signed, status, level, _campaign, linked = fields
        active = _code("Status", status, _YES_OR_NO)
        customer = pb.Customer(
            customer_id=_id("CustID", customer_id),
            updated_at_ms=_wall_clock_ms("SignDate", signed, "%m/%d/%Y"),
            level=_code("Level", level, _LEVELS),
            active=active,
            consent_player_offers=active,
            consent_sms=_code("LinkedWithApps", linked, _YES_OR_NO),
            phone=phone_of(int(customer_id)),
            name=name,
            address=address,
            postal_code=postal_code,
        )
        check_customer(customer, now_ms)
        return customer

    return parse


def _listen(now_ms: int) -> Callable[[list[str], str], pb.Listen]:
    def parse(fields: list[str], event_id: str) -> pb.Listen:
        _check_count(fields, _LISTEN_COLUMNS)
        _id_in_file, customer_id, track_id, played_at, mobile, postal_code = fields
        listen = pb.Listen(
            event_id=event_id,
            customer_id=_id("customer", customer_id),
            track_id=_id("track", track_id),
            played_at_ms=_wall_clock_ms("time", played_at, "%Y-%m-%d %H:%M:%S"),
            device=_code("mobile", mobile, _DEVICES),
            postal_code=postal_code,
            utc_offset_minutes=0,
        )
        check_listen(listen, now_ms)
        return listen

    return parse


def _click(now_ms: int) -> Callable[[list[str], str], pb.AdEvent]:
    def parse(fields: list[str], event_id: str) -> pb.AdEvent:
        _check_count(fields, _CLICK_COLUMNS)
        _id_in_file, customer_id, ad_name, clicked_at = fields
        click = pb.AdEvent(
            event_id=event_id,
            customer_id=_id("customer", customer_id),
            kind=pb.AD_EVENT_KIND_CLICK,
            at_ms=_wall_clock_ms("time", clicked_at, "%Y-%m-%d %H:%M:%S"),
            campaign_id=ad_name.lower(),
            channel=pb.CHANNEL_PLAYER,
        )
        check_ad_event(click, now_ms)
        return click

    return parse


def _check_count(fields: list[str], expected: int) -> None:
    if len(fields) != expected:
        raise ValueError(f"{len(fields)} fields, expected {expected}")


def _id(field: str, text: str) -> int:
    if not (text.isascii() and text.isdigit()) or int(text) >= 2**63:
        raise ValueError(f"{field} is not an id from 0 to 2^63-1")
    return int(text)


def _code(field: str, text: str, meanings: dict[str, ItemT]) -> ItemT:
    if text not in meanings:
        raise ValueError(f"{field} is {text!r}, expected one of {', '.join(meanings)}")
    return meanings[text]


def _wall_clock_ms(field: str, text: str, layout: str) -> int:
    try:
        moment = datetime.strptime(text, layout).replace(tzinfo=UTC)
    except ValueError:
        raise ValueError(f"{field} is {text!r}, expected a time like {layout}") from None
    return int(moment.timestamp() * 1000)
