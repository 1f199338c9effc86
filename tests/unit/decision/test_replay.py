"""A decision made again from its log line is the same, bit for bit, whatever it was made of."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Final

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlude.contacts.budget import BudgetState
from interlude.contacts.campaign import Arm, Budget, Campaign, Campaigns, ColdStart
from interlude.contacts.caps import DAY_MS, HOUR_MS, MINUTE_MS, CapKind, Channel, Contact
from interlude.contacts.ledger import Outcome, Reservation, ReservationRequest
from interlude.features.schema import FEATURE_NAMES, STATE_FEATURES
from interlude.features.state import Level, hash_id
from interlude.models.scorer import Scorer
from interlude.v1 import decision_pb2 as pb
from services.decision.champion import Serving
from services.decision.engine import DecisionEngine
from services.decision.policy import SHOWN, Reason
from services.decision.rejudging import judge_under
from services.decision.replay import CannotReplay, Difference, differences, replay
from services.decision.requests import to_question
from services.decision.reserving import Reserver
from services.decision.responses import to_decision, to_log
from tests.contract.fakes import FakeBudgets, FakeChampion, FakeLedger, FakeListeners
from tests.listeners import hot_features, profile
from tests.models import ModelSpec

_NOW_MS: Final = 1_700_000_000_000
_CUSTOMER: Final = 7


@cache
def _serving() -> Serving:
    spec = ModelSpec(-1.0, (0.7, -0.3, 2.1, 0.2, -1.3, 0.9))
    return Serving("v1", Scorer(spec.file, spec.manifest), spec.threshold)


class _CappedLedger(FakeLedger):
    """Others were faster: every reservation meets a full cap."""

    kind: CapKind = CapKind.DAY

    def reserve(
        self, requests: Sequence[ReservationRequest], timeout_seconds: float | None = None
    ) -> list[Reservation]:
        """Refuse all."""
        assert timeout_seconds
        return [Reservation(Outcome.CAPPED, self.kind) for _ in requests]


@dataclass
class _World:
    """What a decision may meet."""

    campaign: Campaign
    listener: bytes = field(default_factory=hot_features)
    contacts: tuple[Contact, ...] = ()
    serving: Serving | None = None
    redis: bool = True
    ledger: str = "open"
    left_seconds: float = 1.0
    units: int = 5
    closed: BudgetState = BudgetState.SPENT
    stale: bool = False

    def decide(self, request: pb.DecideRequest) -> pb.DecisionLogged:
        """The log line of a decision about `_CUSTOMER`."""
        listeners = FakeListeners(self.redis, {_CUSTOMER: self.listener}, {_CUSTOMER: self.contacts})
        ledger = self._ledger()
        budgets = FakeBudgets({self.campaign.campaign_id: self.units}, self.stale, self.closed)
        engine = DecisionEngine(
            listeners,
            Reserver(ledger, budgets),
            FakeChampion(self.serving),
            now_ms=lambda: _NOW_MS,
            reserve_seconds=0.002,
        )
        body = request.SerializeToString()
        answer = engine.decide([to_question(request, self.campaigns)], [self.left_seconds])[0]
        return pb.DecisionLogged.FromString(to_log(to_decision(body, answer), "1"))

    def again(self, logged: pb.DecisionLogged) -> pb.DecideResponse:
        """The replayed response."""
        return replay(logged, {self.campaigns.version: self.campaigns}.__getitem__, {"v1": _serving()}.__getitem__)

    @property
    def campaigns(self) -> Campaigns:
        """The document in force."""
        return Campaigns(campaigns=(self.campaign,))

    def _ledger(self) -> FakeLedger:
        if self.ledger == "open":
            return FakeLedger(contacts={_CUSTOMER: self.contacts})
        if self.ledger == "away":
            return FakeLedger(available=False)
        capped = _CappedLedger()
        capped.kind = CapKind[self.ledger]
        return capped


_REQUEST: Final = pb.DecideRequest(request_id="r", customer_id=_CUSTOMER, next_track_id=3)
_CAMPAIGNS = st.builds(
    Campaign,
    campaign_id=st.just("premium-day"),
    enabled=st.sampled_from([True] * 9 + [False]),
    cold_start=st.sampled_from(ColdStart),
    prior_click_probability=st.sampled_from([0.0, 0.4, 0.9]),
    contacts_per_hour=st.none() | st.integers(0, 2),
    contacts_per_day=st.integers(0, 4),
    contacts_per_session=st.none() | st.integers(0, 2),
    contacts_per_listening_hour=st.none() | st.integers(0, 2),
    minimum_gap_minutes=st.sampled_from([0, 20]),
    minimum_gap_tracks=st.integers(0, 2),
    first_tracks_without_offer=st.integers(0, 3),
    spare_streaks=st.booleans(),
    cool_down_after_dismiss_hours=st.sampled_from([0, 5]),
    budget=st.none() | st.just(Budget(discounts=100)),
    exploration_rate=st.sampled_from([0.0, 0.1, 0.5]),
    holdout_share=st.sampled_from([0.0, 0.1, 0.5]),
    arms=st.sampled_from([(), (Arm(name="a", share=0.5), Arm(name="b", share=0.5, threshold=0.1))]),
)
_CONTACTS = st.lists(
    st.builds(
        Contact,
        at_ms=st.integers(_NOW_MS - 2 * DAY_MS, _NOW_MS) | st.integers(_NOW_MS - HOUR_MS, _NOW_MS + MINUTE_MS),
        request_hash=st.sampled_from([1, 2, hash_id("r0"), hash_id("r1")]),
        campaign_hash=st.just(1),
        channel=st.sampled_from(Channel),
        withheld=st.booleans(),
    ),
    max_size=3,
).map(tuple)
_WORLDS = st.builds(
    _World,
    campaign=_CAMPAIGNS,
    listener=st.one_of(
        st.builds(
            lambda level, consent, newest_ms: hot_features(
                profile(level=level, consent_player_offers=consent), newest_listen_ms=newest_ms
            ),
            st.sampled_from([Level.FREE, Level.FREE, Level.SILVER, Level.GOLD]),
            st.sampled_from([True, True, True, False]),
            st.integers(_NOW_MS - HOUR_MS, _NOW_MS),
        ),
        st.sampled_from([b"", b"\xff" * 9]),
    ),
    contacts=st.just(()) | _CONTACTS,
    serving=st.sampled_from(["model", "model", "model", None]).map(lambda choice: _serving() if choice else None),
    redis=st.sampled_from([True] * 5 + [False]),
    ledger=st.sampled_from(["open"] * 4 + ["away"] + [kind.name for kind in CapKind]),
    left_seconds=st.sampled_from([1.0] * 5 + [0.001]),
    units=st.sampled_from([0, 1, 5]),
    closed=st.sampled_from([BudgetState.PACED, BudgetState.SPENT]),
    stale=st.booleans(),
)


@settings(max_examples=400, deadline=None)
@given(_WORLDS, st.integers(0, 30), st.integers(0, 9))
def test_every_decision_replays_bit_for_bit(world: _World, number: int, next_track_id: int) -> None:
    request = pb.DecideRequest(request_id=f"r{number}", customer_id=_CUSTOMER, next_track_id=next_track_id)
    logged = world.decide(request)
    again = world.again(logged)
    assert differences(logged.response, again) == []
    assert again.SerializeToString() == logged.response.SerializeToString()


@pytest.mark.parametrize(
    ("world", "reason"),
    [
        (_World(Campaign(campaign_id="a"), serving=_serving()), Reason.SHOW),
        (_World(Campaign(campaign_id="a"), serving=_serving(), ledger="away"), Reason.UNAVAILABLE),
        (_World(Campaign(campaign_id="a"), serving=_serving(), ledger="GAP_TRACKS"), Reason.MINIMUM_GAP),
        (_World(Campaign(campaign_id="a"), serving=_serving(), redis=False), Reason.UNAVAILABLE),
        (_World(Campaign(campaign_id="a"), listener=b""), Reason.UNKNOWN_CUSTOMER),
        (
            _World(Campaign(campaign_id="a", budget=Budget(discounts=9)), serving=_serving(), units=0, stale=True),
            Reason.BUDGET_SPENT,
        ),
    ],
)
def test_what_only_the_moment_knew_is_taken_from_the_line(world: _World, reason: Reason) -> None:
    logged = world.decide(_REQUEST)
    assert Reason(logged.response.reason) is reason
    assert differences(logged.response, world.again(logged)) == []


def test_every_change_of_what_it_was_made_from_shows() -> None:
    world = _World(Campaign(campaign_id="a", holdout_share=0.0), serving=_serving())
    logged = world.decide(_REQUEST)
    assert Reason(logged.response.reason) in SHOWN
    changed = [
        ("listener", b""),
        ("listener", hot_features(profile(level=Level.GOLD))),
        ("contacts", struct.pack("<QQQB", _NOW_MS - 1, 1, 1, 1)),
        ("budget", BudgetState.SPENT.value),
        ("decided_at_ms", _NOW_MS + 1),
    ]
    for name, value in changed:
        line = pb.DecisionLogged()
        line.CopyFrom(logged)
        setattr(line, name, value)
        assert differences(logged.response, world.again(line)), name


def test_differences_are_told_field_by_field() -> None:
    logged = pb.DecideResponse(show=True, reason=pb.REASON_SHOW, score=0.5, campaign_id="a")
    replayed = pb.DecideResponse(reason=pb.REASON_LEVEL, campaign_id="a", feature_age_ms=0)
    assert differences(logged, replayed) == [
        Difference("show", "True", "False"),
        Difference("reason", "15", "4"),
        Difference("score", "0x1.0000000000000p-1", ""),
        Difference("feature_age_ms", "", "0"),
    ]


def test_the_last_bit_of_a_score_is_a_difference() -> None:
    score = np.float32(0.3)
    near = np.nextafter(score, np.float32(1))
    found = differences(pb.DecideResponse(score=float(score)), pb.DecideResponse(score=float(near)))
    assert [difference.field for difference in found] == ["score"]


def test_a_score_of_moment_features_is_made_again_from_the_line() -> None:
    spec = ModelSpec(
        -1.0, (-0.01, 0.7, 0.2, -0.4), features=("recency", "evening", "session_minutes", "offer_impressions")
    )
    serving = Serving("v1", Scorer(spec.file, spec.manifest), spec.threshold)
    world = _World(Campaign(campaign_id="a"), serving=serving)
    logged = world.decide(_REQUEST)
    documents = {world.campaigns.version: world.campaigns}
    assert replay(logged, documents.__getitem__, {"v1": serving}.__getitem__) == logged.response
    asked = [logged.features[FEATURE_NAMES.index(name)] for name in spec.features]
    assert logged.response.score == pytest.approx(spec.probabilities([asked])[0], abs=1e-6)
    assert len(logged.features) == len(FEATURE_NAMES)


def test_a_line_of_another_schema_is_not_replayed() -> None:
    world = _World(Campaign(campaign_id="a"))
    logged = world.decide(_REQUEST)
    logged.schema_version = "other"
    with pytest.raises(CannotReplay, match="schema other"):
        world.again(logged)


def test_a_score_is_the_same_alone_and_in_a_batch_of_any_size() -> None:
    """Replay scores one row where the decision scored many: ONNX Runtime uses other code for each."""
    rows = np.random.default_rng(1).random((4096, len(STATE_FEATURES))).astype(np.float32)
    scorer = _serving().scorer
    alone = np.concatenate([scorer.score_vectors(row.reshape(1, -1)) for row in rows])
    for size in (2, 3, 7, 8, 32, 64, 256, 4096):
        batches = [scorer.score_vectors(rows[start : start + size]) for start in range(0, len(rows), size)]
        assert np.concatenate(batches).tobytes() == alone.tobytes(), size


@settings(max_examples=200, deadline=None)
@given(_WORLDS, st.integers(0, 30))
def test_under_its_own_campaign_a_decision_has_its_own_reason(world: _World, number: int) -> None:
    logged = world.decide(pb.DecideRequest(request_id=f"r{number}", customer_id=_CUSTOMER))
    assert judge_under(world.campaign, logged) is Reason(logged.response.reason)


@pytest.mark.parametrize(
    ("world", "under", "reason"),
    [
        (_World(Campaign(campaign_id="a"), serving=_serving()), {"enabled": False}, Reason.SWITCHED_OFF),
        (
            _World(Campaign(campaign_id="a"), serving=_serving()),
            {"first_tracks_without_offer": 9},
            Reason.FIRST_TRACKS,
        ),
        (
            _World(Campaign(campaign_id="a", arms=(Arm(name="a", share=1, threshold=1),)), serving=_serving()),
            {},
            Reason.SHOW,
        ),
        (
            _World(Campaign(campaign_id="a", budget=Budget(discounts=9)), serving=_serving(), units=0, stale=True),
            {},
            Reason.SHOW,
        ),
        (_World(Campaign(campaign_id="a"), serving=_serving(), ledger="away"), {}, Reason.UNAVAILABLE),
        (_World(Campaign(campaign_id="a"), serving=_serving(), redis=False), {}, Reason.UNAVAILABLE),
    ],
)
def test_another_campaign_judges_by_what_was_known_then(
    world: _World, under: dict[str, object], reason: Reason
) -> None:
    campaign = Campaign.model_validate({"campaign_id": "a", **under})
    assert judge_under(campaign, world.decide(_REQUEST)) is reason


def test_a_line_of_another_schema_is_not_judged() -> None:
    logged = _World(Campaign(campaign_id="a")).decide(_REQUEST)
    logged.schema_version = "other"
    with pytest.raises(CannotReplay, match="schema other"):
        judge_under(Campaign(campaign_id="a"), logged)
