import json
from dataclasses import asdict, replace

import pytest

from bench.chaos.reports import Report, degraded_share, in_time_share
from tests.unit.bench.chaos.reports import COUNTS, DEGRADED, SILENT, STARTED_S, WHOLE, report


def test_a_report_is_read_from_what_the_generator_prints() -> None:
    counts = {**asdict(COUNTS), "kinds": {}, "max_ms": 3.0}
    more = {"phases": [counts], "windows": [counts, counts], "window_seconds": 0.1, "started_unix_s": 7.5}
    read = Report.read(json.dumps({**counts, **more}))
    assert read == Report(COUNTS, [COUNTS], [COUNTS, COUNTS], 0.1, 7.5)


def test_shares_are_of_all_calls_and_of_all_answers() -> None:
    late = replace(COUNTS, calls=50, ended=100, in_time=40, degraded=25)
    assert in_time_share([WHOLE, late]) == 0.7
    assert degraded_share([WHOLE, late]) == pytest.approx(1 / 6)
    assert in_time_share([]) == degraded_share([SILENT]) == 0


def test_windows_between_two_moments_are_all_that_have_a_part_in_them() -> None:
    numbered = [replace(COUNTS, calls=number) for number in range(10)]
    found = report(numbered).between(STARTED_S + 0.25, STARTED_S + 0.45)
    assert [window.calls for window in found] == [2, 3, 4]
    assert report(numbered).between(STARTED_S + 5, STARTED_S + 6) == []


def test_answers_are_whole_again_where_a_good_second_begins() -> None:
    windows = [DEGRADED] * 5 + [SILENT] + [DEGRADED] * 2 + [WHOLE] * 20
    since_s = STARTED_S + 0.3
    assert report(windows).seconds_until_whole(since_s, STARTED_S + 2.8) == pytest.approx(0.5)


def test_one_degraded_answer_in_a_hundred_does_not_count() -> None:
    windows = [replace(COUNTS, degraded=1)] * 20
    assert report(windows).seconds_until_whole(STARTED_S, STARTED_S + 2) == 0


def test_what_never_becomes_whole_takes_all_the_time() -> None:
    assert report([DEGRADED] * 30).seconds_until_whole(STARTED_S + 1, STARTED_S + 3) == 2
    assert report([WHOLE] * 5).seconds_until_whole(STARTED_S, STARTED_S + 0.5) == 0.5


def test_latency_is_normal_again_at_the_end_of_the_first_window_within_the_limit() -> None:
    windows = [replace(COUNTS, p99_ms=ms) for ms in (1.0, 9.0, 9.0, 4.0, 2.0, 9.0)]
    assert report(windows).seconds_until_normal(0.15, 2.0) == pytest.approx(0.35)
    assert report(windows).seconds_until_normal(0.1, 1.5) == pytest.approx(0.5)
    assert report([SILENT] * 4).seconds_until_normal(0.1, 1.0) == pytest.approx(0.3)
