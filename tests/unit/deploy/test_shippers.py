"""Every shipper makes of a line what the loader makes of it, keeps what it cannot read, and sends to where our own producers do."""

import json
import re
import shutil
import subprocess
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
import yaml
from google.protobuf import json_format

from demo.load import BadLines
from demo.real_logs import read_clicks, read_listens
from devstack.places import REPOSITORY
from interlude.events.topics import PARTITIONER, Topic
from interlude.v1 import events_pb2 as pb

SHIPPERS: Final = REPOSITORY / "deploy" / "shippers"
LUA: Final = shutil.which("luajit") or shutil.which("lua5.1")
RUBY: Final = shutil.which("ruby")
VECTOR: Final = shutil.which("vector")
FLUENT_BIT: Final = shutil.which("fluent-bit") or shutil.which("fluent-bit", path="/opt/fluent-bit/bin")
LOGSTASH: Final = shutil.which("logstash") or shutil.which("logstash", path="/usr/share/logstash/bin")
NOW_MS: Final = 1_790_000_000_000

GOOD: Final = (
    (Topic.LISTENS, '0,48,453,"2014-10-23 03:26:20",0,"72132"'),
    (Topic.LISTENS, '0,0,0,"1970-01-01 00:00:01",1,""'),
    (Topic.LISTENS, '9,1234567890,77,"2016-02-29 23:59:59",1,"SW1A 1-AA"'),
    (Topic.LISTENS, '9,7,8,"2000-12-31 12:00:00",1,"1"'),
    (Topic.LISTENS, '9,7,8,"2026-03-01 00:00:00",1,"1"\r'),
    (Topic.AD_EVENTS, '305706,2476,"ADV_DONATION_CHARITY","2014-11-26 22:24:21"\r'),
    (Topic.AD_EVENTS, '1,2,"a-b","2024-02-29 00:00:00"'),
)
BAD: Final = (
    (Topic.LISTENS, '9,42,7,"2014-10-23 03:26",0,"72132"'),
    (Topic.LISTENS, '9,42,7,"2014-13-23 03:26:20",0,"72132"'),
    (Topic.LISTENS, '9,42,7,"2014-02-31 03:26:20",0,"72132"'),
    (Topic.LISTENS, '9,42,7,"2100-02-29 03:26:20",0,"72132"'),
    (Topic.LISTENS, '9,42,7,"2014-10-23 24:26:20",0,"72132"'),
    (Topic.LISTENS, '9,042,7,"2014-10-23 03:26:20",0,"72132"'),
    (Topic.LISTENS, '9,42,7,"2014-10-23 03:26:20",2,"72132"'),
    (Topic.LISTENS, '9,42,7,"2014-10-23 03:26:20",0,"72132 and a long postal code"'),
    (Topic.LISTENS, "no listen at all %{x} ${Y}"),
    (Topic.LISTENS, '{"eventId": "cut off'),
    (Topic.AD_EVENTS, "not,a,click"),
    (Topic.AD_EVENTS, '1,2,"a b","2024-02-29 00:00:00"'),
)
JSON: Final = (
    (Topic.LISTENS, '{"eventId": "play-1", "customerId": 42, "trackId": 7}', "42"),
    (Topic.LISTENS, '{"eventId": "play-1", "customerId": "42", "trackId": 7}', "42"),
    (Topic.AD_EVENTS, '{"event_id": "click-1", "customer_id": 9223372036854775807}', "9223372036854775807"),
    (Topic.AD_EVENTS, '{"eventId": "click-1"}', ""),
)


class Shipped(NamedTuple):
    """What would go to Kafka."""

    key: str
    value: str


Convert = Callable[[Sequence[tuple[Topic, str]]], list[Shipped]]


def _run(command: list[str], text: str) -> list[Shipped]:
    """The answers of a program that reads lines "topic TAB offset TAB line" and writes JSON objects with key and value."""
    ended = subprocess.run(command, input=text.encode(), capture_output=True, check=False, timeout=60)
    assert ended.returncode == 0, ended.stderr.decode()
    return [Shipped(found["key"], found["value"]) for found in map(json.loads, ended.stdout.decode().splitlines())]


def _lines(cases: Sequence[tuple[Topic, str]]) -> str:
    return "".join(f"{topic}\t{offset}\t{line}\n" for offset, (topic, line) in enumerate(cases))


_LUA_DRIVER: Final = """
dofile(arg[1])
local function quoted(text)
  return '"' .. text:gsub('[%c"\\\\]', function(c) return string.format("\\\\u%04x", c:byte()) end) .. '"'
end
for input in io.lines() do
  local topic, offset, line = input:match("^([^\\t]*)\\t([^\\t]*)\\t(.*)$")
  local code, _, record = to_event(topic, 0, {line = line, offset = tonumber(offset), file = "/var/log/x.csv"})
  assert(code == 2 and record.topic == topic)
  print('{"key":' .. quoted(record.key) .. ',"value":' .. quoted(record.value) .. '}')
end
"""

_RUBY_DRIVER: Final = """
require "json"
require "digest"
class Event
  def initialize(fields) = @fields = fields
  def get(name) = @fields[name]
  def set(name, value) = @fields[name] = value
  def cancel = raise("cancelled")
end
source = File.read(ARGV[0])[/code => '(.*?)\\n    '/m, 1]
$stdin.each_line do |input|
  topic, _, line = input.chomp("\\n").split("\\t", 3)
  event = Event.new({"message" => line, "[@metadata][topic]" => topic, "[log][file][path]" => "/var/log/x.csv"})
  eval(source)
  puts JSON.generate({"key" => event.get("[@metadata][key]"), "value" => event.get("[@metadata][value]")})
end
"""


def _by_lua(cases: Sequence[tuple[Topic, str]], directory: Path) -> list[Shipped]:
    driver = directory / "driver.lua"
    driver.write_text(_LUA_DRIVER)
    return _run([LUA or "", str(driver), str(SHIPPERS / "fluent-bit" / "interlude.lua")], _lines(cases))


def _by_ruby(cases: Sequence[tuple[Topic, str]], directory: Path) -> list[Shipped]:
    driver = directory / "driver.rb"
    driver.write_text(_RUBY_DRIVER)
    return _run([RUBY or "", str(driver), str(SHIPPERS / "logstash" / "interlude.conf")], _lines(cases))


def vector_programs() -> dict[str, str]:
    """The programs of Vector's transforms, by topic."""
    transforms = tomllib.loads((SHIPPERS / "vector" / "interlude.toml").read_text())["transforms"]
    return {Topic.LISTENS: transforms["listens"]["source"], Topic.AD_EVENTS: transforms["clicks"]["source"]}


def _by_vector(cases: Sequence[tuple[Topic, str]], directory: Path) -> list[Shipped]:
    shipped = []
    for offset, (topic, line) in enumerate(cases):
        program, event = directory / f"{topic}.vrl", directory / "event.json"
        program.write_text(vector_programs()[topic])
        event.write_text(json.dumps({"message": line, "file": "/var/log/x.csv", "offset": offset}))
        command = [VECTOR or "", "vrl", "--program", str(program), "--input", str(event), "--print-object"]
        found = json.loads(subprocess.run(command, capture_output=True, check=True, timeout=60).stdout)
        shipped.append(Shipped(found["key"], found["message"]))
    return shipped


@pytest.fixture(
    params=[
        pytest.param(
            _by_lua, id="fluent-bit", marks=pytest.mark.skipif(LUA is None, reason="shippers: no luajit or lua5.1 here")
        ),
        pytest.param(
            _by_ruby, id="logstash", marks=pytest.mark.skipif(RUBY is None, reason="shippers: no ruby on this machine")
        ),
        pytest.param(
            _by_vector, id="vector", marks=pytest.mark.skipif(VECTOR is None, reason="shippers: no vector here")
        ),
    ]
)
def convert(request: pytest.FixtureRequest, tmp_path: Path) -> Convert:
    """What one of the shippers does with lines."""
    return lambda cases: request.param(cases, tmp_path)


def _expected(topic: Topic, line: str, directory: Path) -> Any:
    """The event that the loader makes of the line, without its id."""
    (directory / "tracks.csv").write_bytes(line.encode())
    (directory / "clicks.csv").write_bytes(line.encode())
    bad_lines = BadLines()
    read = read_listens if topic is Topic.LISTENS else read_clicks
    (event,) = read(directory, NOW_MS, bad_lines)
    event.event_id = ""
    return event


def test_csv_lines_become_the_events_of_the_loader(convert: Convert, tmp_path: Path) -> None:
    event_ids = []
    for (topic, line), shipped in zip(GOOD, convert(GOOD), strict=True):
        event = json_format.Parse(shipped.value, pb.Listen() if topic is Topic.LISTENS else pb.AdEvent())
        event_ids.append(event.event_id)
        event.event_id = ""
        assert event == _expected(topic, line, tmp_path)
        assert shipped.key == str(event.customer_id)
    assert len(set(event_ids)) == len(GOOD)
    assert all(event_id.startswith("x.csv/") for event_id in event_ids)


def test_an_event_id_is_the_same_every_time(convert: Convert) -> None:
    assert convert(GOOD) == convert(GOOD)


def test_bad_lines_go_out_as_they_are_without_a_key(convert: Convert) -> None:
    assert convert(BAD) == [Shipped("", line) for _, line in BAD]


def test_json_lines_go_out_as_they_are_under_their_customer(convert: Convert) -> None:
    assert convert([(topic, line) for topic, line, _ in JSON]) == [Shipped(key, line) for _, line, key in JSON]


def test_fluent_bit_sends_by_key_with_our_partitioner_and_gives_nothing_up() -> None:
    file = yaml.safe_load((SHIPPERS / "fluent-bit" / "interlude.yaml").read_text())
    (sink,) = file["pipeline"]["outputs"]
    assert sink["topics"].split(",") == [each["tag"] for each in file["pipeline"]["inputs"]]
    assert sink["rdkafka.partitioner"] == PARTITIONER
    assert (sink["message_key_field"], sink["raw_log_key"], sink["topic_key"]) == ("key", "value", "topic")
    assert (sink["queue_full_retries"], sink["retry_limit"], sink["rdkafka.message.timeout.ms"]) == (
        0,
        "no_limits",
        "0",
    )
    assert all(each["storage.type"] == "filesystem" for each in file["pipeline"]["inputs"])


def test_vector_sends_by_key_with_our_partitioner_and_reads_on_when_kafka_has_it() -> None:
    file = tomllib.loads((SHIPPERS / "vector" / "interlude.toml").read_text())
    assert {sink["topic"] for sink in file["sinks"].values()} == {Topic.LISTENS, Topic.AD_EVENTS}
    for sink in file["sinks"].values():
        assert sink["librdkafka_options"]["partitioner"] == PARTITIONER
        assert (sink["key_field"], sink["encoding"], sink["message_timeout_ms"]) == ("key", {"codec": "text"}, 0)
        assert sink["acknowledgements"] == {"enabled": True}
        assert sink["inputs"][0] in file["transforms"]


def test_logstash_sends_by_key_and_leaves_the_partitioner_to_java() -> None:
    text = (SHIPPERS / "logstash" / "interlude.conf").read_text()
    assert 'message_key => "%{[@metadata][key]}"' in text
    assert not re.search(r"^\s*partitioner =>", text, re.MULTILINE), "Java's own takes murmur2 of the key"
    (code,) = re.findall(r"code => '(.*?)'", text, re.DOTALL)
    assert code.endswith("\n    "), "an apostrophe would end the code"


@pytest.mark.parametrize(
    ("program", "arguments"),
    [
        pytest.param(VECTOR, ["validate", "--no-environment", "vector/interlude.toml"], id="vector"),
        pytest.param(FLUENT_BIT, ["--dry-run", "-c", "fluent-bit/interlude.yaml"], id="fluent-bit"),
        pytest.param(LOGSTASH, ["--config.test_and_exit", "-f", "logstash/interlude.conf"], id="logstash"),
    ],
)
def test_the_shipper_itself_takes_the_file(program: str | None, arguments: list[str], tmp_path: Path) -> None:
    if program is None:
        pytest.skip("shippers: this one is not on this machine")
    environment = {
        "PATH": "/usr/bin:/bin",
        "INTERLUDE_KAFKA": "localhost:9092",
        "INTERLUDE_LISTENS": str(tmp_path / "listens"),
        "INTERLUDE_CLICKS": str(tmp_path / "clicks"),
        "INTERLUDE_WORK": str(tmp_path),
    }
    checked = subprocess.run(
        [program, *arguments], cwd=SHIPPERS, env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
