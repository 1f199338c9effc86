"""Numbers into scikit-learn and ONNX: the same answers, even from a steep model at its edges; the decision service's contract."""

import base64

import numpy as np
import onnx
import pytest

from interlude.models.manifest import Manifest
from interlude.models.scorer import Scorer, load_scorer
from interlude.models.store import Champion, ModelStore, StoredModel
from services.trainer.calibration import UNCHANGED, Sigmoid, fit_sigmoid, fold_sigmoids
from services.trainer.dataset import Rows
from services.trainer.evaluation import calibration, evaluate, never_show
from services.trainer.export import to_onnx_file, to_sklearn
from services.trainer.linear import Linear, Matrix, sigmoid
from services.trainer.parity import EDGE_VALUES, greatest_difference, onnx_probabilities, sklearn_probabilities
from services.trainer.publishing import GOLDEN_ROWS, Release, champion_of, public_key_of, publish, to_manifest
from services.trainer.splitting import Split

STEEP = Linear(np.array([-112.2, -37.2, 16.8, 79.9, 516.4, 516.8]), -858.1)
KEY = base64.b64encode(b"k" * 32).decode()


def some_features(rows: int = 2000) -> Matrix:
    """Shares as the public data set has them, and the edge rows."""
    generator = np.random.default_rng(3)
    edges = np.repeat(np.array(EDGE_VALUES)[:, None], 6, axis=1)
    return np.vstack([generator.uniform(0, 1, (rows, 6)), edges]).astype(np.float32)


def some_rows() -> Rows:
    """Features and labels that the steep model gets mostly right."""
    features = some_features()
    return Rows.plain((STEEP.margins(features) > 0).astype(np.float64), features, {})


def release(linear: Linear = STEEP) -> Release:
    """A version to be."""
    return Release("logistic", to_onnx_file(to_sklearn(linear)), 0.5, {"error": 0.01}, 1, "test")


def test_three_ways_to_one_probability() -> None:
    features = some_features()
    classifier = to_sklearn(STEEP)
    answers = (
        sigmoid(STEEP.margins(features)),
        sklearn_probabilities(classifier, features),
        onnx_probabilities(to_onnx_file(classifier), features),
    )
    assert greatest_difference(*answers) <= 1e-7


def test_file_computes_nothing_but_probabilities() -> None:
    model = onnx.load_from_string(to_onnx_file(to_sklearn(STEEP)))
    assert [output.name for output in model.graph.output] == ["probabilities"]
    assert "ArgMax" not in {node.op_type for node in model.graph.node}


def test_greatest_difference_sees_one_row_and_no_numbers() -> None:
    assert greatest_difference(np.array([0.1, 0.2]), np.array([0.1, 0.5]), np.array([0.1, 0.4])) == pytest.approx(0.3)
    assert np.isnan(greatest_difference(np.array([0.1, np.nan]), np.array([0.1, 0.2])))


def test_file_serves_as_the_decision_service_expects() -> None:
    rows = some_rows()
    manifest = to_manifest(release(), rows)
    stored = StoredModel(manifest.version, manifest, release().model_file)
    scores = load_scorer(stored).score_vectors(rows.features)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, sigmoid(STEEP.margins(rows.features)), atol=1e-6)


def test_golden_rows_are_spread_over_the_probabilities() -> None:
    golden = to_manifest(release(Linear(STEEP.coefficients / 100, STEEP.intercept / 100)), some_rows()).golden
    probabilities = [row.probability for row in golden]
    assert len(golden) == GOLDEN_ROWS
    assert probabilities == sorted(probabilities)
    assert probabilities[-1] - probabilities[0] > 0.5


def test_published_version_verifies_and_scores_as_champion(tmp_path: object) -> None:
    store = ModelStore(str(tmp_path))
    rows = some_rows()
    assert champion_of(store, KEY) is None
    version = publish(store, release(), rows, KEY)
    assert store.promote(version) == Champion(version)
    champion = champion_of(store, KEY)
    assert champion is not None
    assert champion.threshold == 0.5
    assert evaluate(rows.labels, champion.probabilities(rows.features)).error == 0
    other = base64.b64encode(b"o" * 32).decode()
    assert champion_of(store, other) is None
    assert isinstance(store.load(version, public_key_of(KEY)).manifest, Manifest)


def test_file_of_another_width_is_not_taken() -> None:
    manifest = to_manifest(release(), some_rows())
    narrow = to_onnx_file(to_sklearn(Linear(np.ones(5), 0.0)))
    with pytest.raises(Exception, match="6 columns"):
        Scorer(narrow, manifest)


def test_sigmoid_is_found_again_and_folds_into_the_coefficients() -> None:
    generator = np.random.default_rng(5)
    margins = generator.normal(0, 2, 20_000)
    labels = (generator.random(20_000) < sigmoid(3 * margins - 1)).astype(np.float64)
    found = fit_sigmoid(margins, labels, np.ones(20_000))
    assert found.slope == pytest.approx(3, rel=0.1)
    assert found.offset == pytest.approx(-1, rel=0.1)
    features = some_features()
    folded = Sigmoid(2.0, 0.5).folded_into(STEEP)
    np.testing.assert_allclose(folded.margins(features), 2 * STEEP.margins(features) + 0.5, rtol=1e-9)
    np.testing.assert_array_equal(UNCHANGED.folded_into(STEEP).margins(features), STEEP.margins(features))


def test_sigmoids_of_folds_do_not_see_their_own_fold() -> None:
    margins = np.array([-2.0, -1.0, 1.0, 2.0, -2.0, -1.0, 1.0, 2.0])
    folds = np.array([0, 0, 0, 0, 1, 1, 1, 1], np.int32)
    labels = np.array([0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 0.0, 1.0])
    flipped = np.concatenate([1 - labels[:4], labels[4:]])
    split, features = Split(2, 1), np.zeros((8, 6), np.float32)
    first, second = (
        fold_sigmoids(margins, Rows.plain(some, features, {split: folds}), split) for some in (labels, flipped)
    )
    assert first[0] == second[0]
    assert first[1] != second[1]


def test_margins_that_are_no_numbers_stay_none() -> None:
    assert np.isnan(fit_sigmoid(np.array([np.nan, 1.0]), np.array([0.0, 1.0]), np.ones(2)).slope)


def test_evaluation_of_known_answers() -> None:
    labels = np.array([0.0, 0.0, 1.0, 1.0])
    quality = evaluate(labels, np.array([0.1, 0.6, 0.4, 0.9]))
    assert quality.error == 0.5
    assert quality.auc == 0.75
    assert quality.log_loss == pytest.approx(-(2 * np.log(0.9) + 2 * np.log(0.4)) / 4)
    assert never_show(np.array([0.0, 0.0, 0.0, 1.0])).error == 0.25
    assert np.isnan(evaluate(labels, np.array([0.1, np.nan, 0.4, 0.9])).log_loss)


def test_calibration_error_tells_overconfidence_from_chance() -> None:
    generator = np.random.default_rng(9)
    probabilities = generator.uniform(0, 1, 20_000)
    labels = (generator.random(20_000) < probabilities).astype(np.float64)
    weights = np.ones(20_000)
    error, by_chance = calibration(labels, probabilities, weights)
    assert error < by_chance < 0.02
    error, by_chance = calibration(labels, np.clip(2 * probabilities - 0.5, 0, 1), weights)
    assert error > 0.1 > 5 * by_chance


def test_chance_exceeds_its_share_of_the_calibration_error_one_time_in_twenty() -> None:
    generator = np.random.default_rng(10)
    exceeded = 0
    for _ in range(400):
        probabilities = generator.uniform(0, 0.6, 1000)
        labels = (generator.random(1000) < probabilities).astype(np.float64)
        error, by_chance = calibration(labels, probabilities, np.ones(1000))
        exceeded += error > by_chance
    assert 5 <= exceeded <= 40


def test_rows_weigh_what_they_stand_for() -> None:
    labels = np.array([1.0, 0.0, 0.0, 1.0])
    probabilities = np.array([0.9, 0.2, 0.6, 0.3])
    weights = np.array([1.0, 2.0, 1.0, 3.0])
    repeated = np.repeat(np.arange(4), weights.astype(int))
    weighted, written_out = (
        evaluate(labels, probabilities, weights),
        evaluate(labels[repeated], probabilities[repeated]),
    )
    assert weighted.error == pytest.approx(written_out.error)
    assert weighted.log_loss == pytest.approx(written_out.log_loss)
    assert weighted.auc == pytest.approx(written_out.auc)
    assert never_show(labels, weights) == never_show(labels[repeated])
