"""Which model is asked about whom: the champion alone, a canary for its share, a shadow that decides nothing."""

import pytest

from interlude.models.rollout import is_in_share
from interlude.models.scorer import Scorer
from interlude.models.store import Stage
from services.decision.answers import read_listener
from services.decision.champion import Roster, Serving, Trial
from services.decision.listeners import Listener
from services.decision.scoring import Comparison, Score, score
from tests.listeners import hot_features
from tests.models import GENEROUS, STINGY, ModelSpec

_CUSTOMERS = tuple(range(200))
_KNOWN = Listener(read_listener(hot_features()), hot_features(), b"")
_UNKNOWN = Listener(None, b"", b"")


def _serving(version: str, intercept: float, threshold: float = 0.5) -> Serving:
    spec = ModelSpec(intercept)
    return Serving(version, Scorer(spec.file, spec.manifest), threshold)


_CHAMPION = _serving("champion", GENEROUS)
_CANDIDATE = _serving("candidate", STINGY, 0.25)


def _scores(roster: Roster, listeners: list[Listener] | None = None) -> tuple[list[Score], list[Comparison]]:
    comparisons: list[Comparison] = []
    return score(_CUSTOMERS, listeners or [_KNOWN] * len(_CUSTOMERS), roster, comparisons.append), comparisons


def test_without_a_model_there_is_no_score() -> None:
    scores, comparisons = _scores(Roster())
    assert set(scores) == {Score()}
    assert comparisons == []


def test_the_champion_alone_is_asked_about_everybody_known() -> None:
    scores, _ = _scores(Roster(_CHAMPION), [_KNOWN, _UNKNOWN] * 100)
    assert {each.version for each in scores} == {"champion"}
    assert [each.probability is None for each in scores] == [False, True] * 100


@pytest.mark.parametrize("stage", [Stage.CANARY, Stage.CONTROL])
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_a_canary_and_a_control_decide_for_their_share_with_their_own_threshold(share: float, stage: Stage) -> None:
    scores, comparisons = _scores(Roster(_CHAMPION, Trial(_CANDIDATE, stage, share)))
    for customer_id, each in zip(_CUSTOMERS, scores, strict=True):
        if is_in_share("candidate", share, customer_id):
            assert each[1:] == (0.25, "candidate", True)
            assert each.probability == pytest.approx(0.018, abs=1e-3)
        else:
            assert each[1:] == (0.5, "champion", False)
            assert each.probability == pytest.approx(0.982, abs=1e-3)
    assert comparisons == []


def test_unknown_listeners_of_a_canary_have_no_score_either() -> None:
    scores, _ = _scores(Roster(_CHAMPION, Trial(_CANDIDATE, Stage.CANARY, 0.5)), [_UNKNOWN] * len(_CUSTOMERS))
    assert {each.probability for each in scores} == {None}
    assert {each.version for each in scores} == {"champion", "candidate"}


def test_a_shadow_changes_no_score_and_is_compared_with_the_champion() -> None:
    listeners = [_KNOWN, _UNKNOWN] * 100
    with_shadow, comparisons = _scores(Roster(_CHAMPION, Trial(_CANDIDATE, Stage.SHADOW, 0.0)), listeners)
    assert with_shadow == _scores(Roster(_CHAMPION), listeners)[0]
    assert comparisons == [Comparison(same=0, other=100)]
    same = _scores(Roster(_CHAMPION, Trial(_serving("twin", GENEROUS), Stage.SHADOW, 0.0)), listeners)[1]
    assert same == [Comparison(same=100, other=0)]
