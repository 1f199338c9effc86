"""Players ask, report what happened to an offer, and play; all of it is counted."""

import threading
from dataclasses import dataclass, field, replace

from demo.listeners import listener
from demo.players import Players, Turn, Turns, play
from demo.tally import Tally
from interlude.client import Decision, Outcome
from interlude.servicekit.producing import KafkaHeaders
from interlude.v1 import events_pb2 as pb

NOW_MS = 1_790_000_000_000


@dataclass(slots=True)
class FakeAnswerer:
    """Answers what it was told to, and remembers reports."""

    answer: Decision
    takes_reports: bool = True
    asked: list[tuple[int, int]] = field(default_factory=list)
    reported: list[Outcome] = field(default_factory=list)

    def decide(
        self, customer_id: int, *, next_track_id: int = 0, campaign_id: str = "", request_id: str = ""
    ) -> Decision:
        self.asked.append((customer_id, next_track_id))
        return replace(self.answer, request_id=request_id, campaign_id=campaign_id)

    def report(self, decision: Decision, outcome: Outcome, *, at_ms: int = 0) -> bool:
        self.reported.append(outcome)
        return self.takes_reports and decision.show and at_ms == 0


@dataclass(slots=True)
class FakeSink:
    """Keeps the topics of what it was sent; `has_room` False: keeps nothing."""

    has_room: bool = True
    topics: list[str] = field(default_factory=list)

    def send(self, topic: str, key: bytes | None, value: bytes | None, headers: KafkaHeaders | None = None) -> bool:
        if self.has_room and key and value and headers:
            self.topics.append(topic)
        return self.has_room


def turn(outcome: pb.AdEventKind | None = None) -> Turn:
    person = listener(1, 5)
    return Turn(
        person, pb.Listen(event_id="e", customer_id=5, track_id=77, played_at_ms=NOW_MS), outcome, due_seconds=1.0
    )


def shown(version: str = "v1") -> Decision:
    return Decision(show=True, reason="SHOW", request_id="r", model_version=version)


def take(answer: Decision, a_turn: Turn, *, takes_reports: bool = True) -> tuple[Tally, FakeAnswerer, FakeSink]:
    tally, answerer, sink = Tally(), FakeAnswerer(answer, takes_reports), FakeSink()
    Players(answerer, sink, tally, lambda: 1.25).take(a_turn)
    return tally, answerer, sink


def test_a_player_asks_about_the_track_that_it_then_plays() -> None:
    tally, answerer, sink = take(Decision(show=False, reason="LOW_SCORE", request_id="r"), turn())
    assert answerer.asked == [(5, 77)]
    assert sink.topics == ["listens"]
    assert answerer.reported == []
    assert (tally.asked, tally.shown, tally.listens, tally.outcomes) == (1, 0, 1, 0)
    assert tally.reasons == {"LOW_SCORE": 1}


def test_latency_counts_from_when_the_question_was_due() -> None:
    tally, _, _ = take(Decision(show=False, reason="LOW_SCORE", request_id="r"), turn())
    assert tally.result()["p99_ms"] == 250.0


def test_a_shown_offer_is_reported_with_what_happened_to_it() -> None:
    tally, answerer, _ = take(shown(), turn(pb.AD_EVENT_KIND_CLICK))
    assert answerer.reported == [Outcome.IMPRESSION, Outcome.CLICK]
    assert (tally.shown, tally.outcomes, tally.clicks) == (1, 2, 1)
    assert tally.expected_clicks == listener(1, 5).click_probability
    assert tally.model_versions == {"v1": 1}


def test_an_offer_that_is_let_pass_is_an_impression_only() -> None:
    tally, answerer, _ = take(shown(), turn(None))
    assert answerer.reported == [Outcome.IMPRESSION]
    assert tally.clicks == 0


def test_calls_without_an_answer_are_late_or_failed() -> None:
    late = Decision(show=False, reason="NOT_ASKED", request_id="r", degraded=True, error="DEADLINE_EXCEEDED")
    gone = Decision(show=False, reason="NOT_ASKED", request_id="r", degraded=True, error="UNAVAILABLE")
    tally = Tally()
    tally.count_answer(late, 60.0)
    tally.count_answer(gone, 1.0)
    assert (tally.failed, tally.late, tally.degraded) == (1, 1, 2)
    assert tally.errors == {"DEADLINE_EXCEEDED": 1, "UNAVAILABLE": 1}


def test_a_report_that_is_not_taken_is_a_failed_call() -> None:
    tally, _, _ = take(shown(), turn(pb.AD_EVENT_KIND_CLICK), takes_reports=False)
    assert (tally.failed, tally.outcomes) == (2, 0)


def test_a_listen_that_was_dropped_is_not_counted() -> None:
    tally = Tally()
    Players(FakeAnswerer(shown()), FakeSink(has_room=False), tally, lambda: 1.0).take(turn())
    assert tally.listens == 0


def test_the_same_seed_asks_the_same_questions() -> None:
    def questions() -> list[tuple[int, int, int | None]]:
        turns = Turns(seed=4, customers=50)
        taken = [turns.next(NOW_MS, 0.0) for _ in range(40)]
        return [(one.person.customer_id, one.listen.track_id, one.outcome_if_shown) for one in taken]

    assert questions() == questions()


def test_event_ids_differ_between_turns_and_between_runs() -> None:
    runs = [Turns(seed=4, customers=50), Turns(seed=4, customers=50)]
    ids = [turns.next(NOW_MS, 0.0).listen.event_id for turns in runs for _ in range(5)]
    assert len(set(ids)) == 10


def test_play_keeps_its_rate_and_finishes_what_it_began() -> None:
    answerer, tally = FakeAnswerer(shown()), Tally()
    players = Players(answerer, FakeSink(), tally, lambda: 0.0)
    stop = threading.Event()
    reports: list[int] = []

    def report() -> None:
        reports.append(tally.asked)
        stop.set()

    play(players, Turns(seed=4, customers=50), rate=400, stop=stop, report=report)
    # The first report is due after a quarter of a second, with the hundred turns that are due by then and one or two more.
    assert 101 <= len(answerer.asked) == tally.asked <= 103
    assert len(reports) == 1
