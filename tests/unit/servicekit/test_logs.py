"""Logs: one JSON object a line, whoever writes it."""

import json
import subprocess
import sys

from interlude.servicekit.logs import customer_mark

_SPEAKER = """
import logging, structlog
from interlude.servicekit.logs import configure_logs
configure_logs("kettle", "info")
log = structlog.get_logger()
log.debug("below the level")
log.info("boiling", celsius=99, said='a "quote" and a \\n new line')
logging.getLogger("kafka").warning("broker %s is away", "one")
logging.getLogger("kafka").info("chatty")
try:
    raise ValueError("too hot")
except ValueError:
    log.exception("failed")
"""


def test_every_line_of_a_log_is_one_json_object() -> None:
    spoken = subprocess.run([sys.executable, "-c", _SPEAKER], capture_output=True, text=True, timeout=60, check=True)
    lines = [json.loads(line) for line in spoken.stderr.splitlines()]
    assert [line["event"] for line in lines] == ["boiling", "broker one is away", "chatty", "failed"]
    assert [line["level"] for line in lines] == ["info", "warning", "info", "error"]
    assert {line["service"] for line in lines} == {"kettle"}
    assert all(line["timestamp"].endswith("Z") for line in lines)
    assert (lines[0]["celsius"], lines[0]["said"]) == (99, 'a "quote" and a \n new line')
    assert "ValueError: too hot" in lines[3]["exception"]
    assert spoken.stdout == ""


def test_a_customers_mark_is_stable_and_says_nothing() -> None:
    assert customer_mark(42) == customer_mark(42)
    assert customer_mark(42) != customer_mark(43)
    assert len(customer_mark(2**62)) == len(customer_mark(0)) == 12
