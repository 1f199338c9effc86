"""The loaders read the formats of the real logs and name every line that they leave out."""

import tracemalloc
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from demo.load import BadLines, load
from demo.real_logs import LogsMissing, RealLogs, read_listens, read_logs
from interlude.events.topics import Topic
from interlude.servicekit.producing import KafkaHeaders
from interlude.v1 import events_pb2 as pb

NOW_MS = 1_790_000_000_000
HEADER = "CustID,Name,Gender,Address,zip,SignDate,Status,Level,Campaign,LinkedWithApps\r\n"
CUSTOMER = '3,"Ada Brook",0,"1 Gate Bend","66216","01/13/2013",1,0,4,1\r\n'
LISTEN = '0,3,453,"2014-10-23 03:26:20",1,"72132"\n'
CLICK = '305,3,"ADV_FREE_REFERRAL","2014-11-26 22:24:21"\r\n'


@dataclass(slots=True)
class RecordingSink:
    """A Kafka that is a list of (topic, key)."""

    records: list[tuple[str, bytes | None]] = field(default_factory=list)
    flushes: int = 0

    def send(self, topic: str, key: bytes | None, value: bytes | None, headers: KafkaHeaders | None = None) -> bool:
        self.records.append((topic, key))
        return bool(value and headers)

    def flush(self, timeout_seconds: float) -> None:
        self.flushes += timeout_seconds > 0


def logs_of(directory: Path, customers: str = CUSTOMER, listens: str = LISTEN, clicks: str = CLICK) -> RealLogs:
    write_logs(directory, customers, listens, clicks)
    return read_logs(directory, NOW_MS)


def write_logs(directory: Path, customers: str = CUSTOMER, listens: str = LISTEN, clicks: str = CLICK) -> None:
    (directory / "cust.csv").write_bytes((HEADER + customers).encode())
    (directory / "tracks.csv").write_bytes(listens.encode())
    (directory / "clicks.csv").write_bytes(clicks.encode())


def test_a_customer_is_read(tmp_path: Path) -> None:
    (customer,) = logs_of(tmp_path).customers
    assert customer == pb.Customer(
        customer_id=3,
        updated_at_ms=1_358_035_200_000,  # 2013-01-13 00:00 UTC
        level=pb.LEVEL_FREE,
        active=True,
        consent_player_offers=True,
        consent_sms=True,
        phone="+15550000003",
        name="Ada Brook",
        address="1 Gate Bend",
        postal_code="66216",
    )


def test_levels_status_and_linked_apps_are_understood(tmp_path: Path) -> None:
    lines = "".join(f'{level},"A","0","B","1","01/13/2013",0,{level},4,0\n' for level in range(3))
    customers = logs_of(tmp_path, customers=lines).customers
    assert [customer.level for customer in customers] == [pb.LEVEL_FREE, pb.LEVEL_SILVER, pb.LEVEL_GOLD]
    assert not any(customer.active or customer.consent_sms or customer.consent_player_offers for customer in customers)


def test_a_listen_keeps_its_wall_clock(tmp_path: Path) -> None:
    (listen,) = logs_of(tmp_path).listens
    assert (listen.customer_id, listen.track_id, listen.device) == (3, 453, pb.DEVICE_MOBILE)
    assert listen.played_at_ms == 1_414_034_780_000  # 2014-10-23 03:26:20 UTC
    assert listen.HasField("utc_offset_minutes")
    assert listen.utc_offset_minutes == 0


def test_a_click_is_an_ad_event_of_its_campaign(tmp_path: Path) -> None:
    (click,) = logs_of(tmp_path).clicks
    assert (click.kind, click.campaign_id, click.customer_id) == (pb.AD_EVENT_KIND_CLICK, "adv_free_referral", 3)


def test_the_same_line_twice_is_two_events_with_ids_that_do_not_change(tmp_path: Path) -> None:
    first = [listen.event_id for listen in logs_of(tmp_path, listens=LISTEN * 2).listens]
    assert len(set(first)) == 2
    assert first == [listen.event_id for listen in logs_of(tmp_path, listens=LISTEN * 2).listens]


def test_listens_come_in_the_order_of_time(tmp_path: Path) -> None:
    earlier = LISTEN.replace("2014-10-23", "2014-10-22")
    times = [listen.played_at_ms for listen in logs_of(tmp_path, listens=LISTEN + earlier).listens]
    assert times == sorted(times)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('0,3,453,"2014-10-23 03:26:20",1\n', "5 fields"),
        ('0,-3,453,"2014-10-23 03:26:20",1,"72132"\n', "customer"),
        ('0,3,x,"2014-10-23 03:26:20",1,"72132"\n', "track"),
        ('0,3,453,"2014-10-32 03:26:20",1,"72132"\n', "time"),
        ('0,3,453,"2094-10-23 03:26:20",1,"72132"\n', "played_at_ms"),
        ('0,3,453,"2014-10-23 03:26:20",2,"72132"\n', "mobile"),
        ('0,3,453,"2014-10-23 03:26:20,1,"72132"\n', ""),
        ('0,3,453,"2014-10-23 03:26:20",1,"72132 and a very long postal code"\n', "postal_code"),
        ("\n", "0 fields"),
    ],
)
def test_a_bad_line_is_named_and_the_rest_goes_on(tmp_path: Path, line: str, problem: str) -> None:
    logs = logs_of(tmp_path, listens=LISTEN + line + LISTEN.replace("453", "454"))
    assert [listen.track_id for listen in logs.listens] == [453, 454]
    (bad_line,) = logs.bad_lines
    assert (bad_line.file, bad_line.number) == ("tracks.csv", 2)
    assert problem in bad_line.problem


def test_bytes_that_are_no_text_are_a_bad_line(tmp_path: Path) -> None:
    logs_of(tmp_path)
    (tmp_path / "clicks.csv").write_bytes(b"\xff\xfe\n" + CLICK.encode())
    logs = read_logs(tmp_path, NOW_MS)
    assert len(logs.clicks) == 1
    assert str(logs.bad_lines[0]).startswith("clicks.csv:1: ")


def test_customer_lines_are_numbered_with_the_header(tmp_path: Path) -> None:
    logs = logs_of(tmp_path, customers=CUSTOMER + CUSTOMER.replace(",1,0,4,1", ",1,7,4,1"))
    assert (logs.bad_lines[0].file, logs.bad_lines[0].number) == ("cust.csv", 3)
    assert "Level" in logs.bad_lines[0].problem


def test_bad_lines_are_named_up_to_a_limit_and_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_logs(tmp_path, listens="x\n" * 25 + LISTEN)
    bad_lines = BadLines()
    assert load(tmp_path, NOW_MS, RecordingSink(), bad_lines)[Topic.LISTENS] == 1
    told = capsys.readouterr().err.splitlines()
    assert told[0] == "tracks.csv:1: 1 fields, expected 6"
    assert len(told) == 21
    assert told[-1] == "there are more bad lines, which are counted"
    assert bad_lines.count == 25


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(LogsMissing, match=r"cust\.csv"):
        read_logs(tmp_path, NOW_MS)


def test_everything_is_sent_under_the_customers_key(tmp_path: Path) -> None:
    write_logs(tmp_path)
    sink = RecordingSink()
    sent = load(tmp_path, NOW_MS, sink, BadLines())
    assert sent == {Topic.CUSTOMERS: 1, Topic.LISTENS: 1, Topic.AD_EVENTS: 1}
    assert sink.records == [("customers", b"3"), ("listens", b"3"), ("ad-events", b"3")]
    assert sink.flushes == 1


def test_nothing_is_sent_when_a_file_is_missing(tmp_path: Path) -> None:
    write_logs(tmp_path)
    (tmp_path / "clicks.csv").unlink()
    sink = RecordingSink()
    with pytest.raises(LogsMissing, match=r"clicks\.csv"):
        load(tmp_path, NOW_MS, sink, BadLines())
    assert sink.records == []


def test_a_line_without_an_end_is_a_bad_line_and_the_next_one_counts(tmp_path: Path) -> None:
    logs = logs_of(tmp_path, listens=LISTEN + "9" * 300_000 + "\n" + LISTEN)
    assert len(logs.listens) == 2
    assert [str(bad_line) for bad_line in logs.bad_lines] == ["tracks.csv:2: longer than 65536 bytes"]


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_ids_are_those_of_the_place_in_the_file(tmp_path: Path, ending: str) -> None:
    line = LISTEN.rstrip()
    first, second = logs_of(tmp_path, listens=line + ending + line).listens
    assert first.event_id.startswith("tracks/0/")
    assert second.event_id == first.event_id.replace("/0/", f"/{len(line) + len(ending)}/")


def test_a_large_file_is_never_in_memory_as_a_whole(tmp_path: Path) -> None:
    write_logs(tmp_path, listens=LISTEN * 30_000)
    size = (tmp_path / "tracks.csv").stat().st_size
    bad_lines = BadLines()
    tracemalloc.start()
    try:
        count = sum(1 for _ in read_listens(tmp_path, NOW_MS, bad_lines))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (count, bad_lines.count) == (30_000, 0)
    assert peak < size / 4
