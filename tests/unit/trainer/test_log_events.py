"""One customer's part of the log, as the trainer takes it in."""

from collections import Counter

import pyarrow as pa  # type: ignore[import-untyped]

from interlude.features.state import Erasure
from interlude.v1 import events_pb2 as pb
from services.trainer.log_events import LogRecord, customers_in
from tests.unit.events import messages
from tests.unit.events.messages import NOW_MS


def _batch(*records: LogRecord) -> pa.RecordBatch:
    columns = list(zip(*records, strict=True))
    kinds = [pa.string(), pa.binary(), pa.binary(), pa.string()]
    arrays = [pa.array(column, kind) for column, kind in zip(columns, kinds, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, list(LogRecord._fields))


def _record(topic: str, message: pb.Listen | pb.AdEvent | pb.Customer) -> LogRecord:
    return LogRecord(topic, b"%d" % message.customer_id, message.SerializeToString(), "")


def test_what_came_before_an_erasure_is_forgotten_wherever_it_lies() -> None:
    younger = messages.listen()
    younger.played_at_ms = NOW_MS
    log = _batch(
        _record("ad-events", messages.ad_event()),
        _record("customers", messages.erasure()),
        _record("customers", messages.customer()),
        _record("listens", messages.listen()),
        _record("listens", younger),
    )
    (customer,) = customers_in(iter([log]), NOW_MS, Counter())
    assert [listen.played_at_ms for listen in customer.events.listens] == [NOW_MS]
    assert (customer.events.profiles, customer.events.ad_events) == ([], [])
    assert customer.events.erased_at_ms == Erasure(NOW_MS - 1000).at_ms


def test_a_customer_of_whom_nothing_is_left_is_none() -> None:
    log = _batch(_record("customers", messages.erasure()), _record("listens", messages.listen()))
    assert list(customers_in(iter([log]), NOW_MS, Counter())) == []
