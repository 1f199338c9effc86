"""What a model must be to serve: every way to be refused, each with its check."""

from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from interlude.features.schema import FEATURE_NAMES, FINGERPRINTS, STATE_FEATURE_NAMES
from interlude.models.manifest import GoldenRow, RefusedModel
from interlude.models.scorer import GOLDEN_TOLERANCE, Scorer, load_scorer
from interlude.models.store import StoredModel
from tests.models import ModelSpec

_WEIGHTS = (4.0, -2.0, 1.5, 0.5, 3.0, -1.0)
_SPEC = ModelSpec(-1.0, _WEIGHTS)
_FINGERPRINTS = tuple(FINGERPRINTS[name] for name in STATE_FEATURE_NAMES)


def _stored(spec: ModelSpec, file: bytes | None = None, **changes: Any) -> StoredModel:
    return StoredModel("v", replace(spec.manifest, **changes), spec.file if file is None else file)


def _refusal(stored: StoredModel) -> RefusedModel:
    with pytest.raises(RefusedModel) as caught:
        load_scorer(stored)
    return caught.value


def _onnx(operator: str, inputs: int = 6, output: str = "probabilities") -> bytes:
    """A model of one operator on its input, with that many columns in and the same out."""
    shape: list[str | int] = ["rows", inputs]
    graph = helper.make_graph(
        [helper.make_node(operator, ["features"], [output])],
        "g",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, shape)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10)
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content


def test_a_batch_is_scored_by_the_formula() -> None:
    rows = np.random.default_rng(7).random((200, 6), dtype=np.float32)
    scores = load_scorer(_stored(_SPEC)).score_vectors(rows)
    assert scores.shape == (200,)
    assert np.max(np.abs(scores - np.array(_SPEC.probabilities(rows)))) < GOLDEN_TOLERANCE


def test_a_row_has_the_same_score_alone_and_in_a_batch() -> None:
    rows = np.random.default_rng(8).random((64, 6), dtype=np.float32)
    scorer = load_scorer(_stored(_SPEC))
    alone = np.concatenate([scorer.score_vectors(rows[place : place + 1]) for place in range(64)])
    assert alone.tobytes() == scorer.score_vectors(rows).tobytes()


def test_a_model_that_takes_fewer_features_in_another_order_is_fine() -> None:
    spec = ModelSpec(0.0, (2.0, -1.0), features=("unique", "morning"))
    scorer = load_scorer(_stored(spec))
    assert not scorer.takes_moment
    vector = np.array([[0.25, 9.0, 9.0, 9.0, 9.0, 0.75]], np.float32)
    expected = pytest.approx(spec.probabilities([[0.75, 0.25]])[0], abs=1e-6)
    assert scorer.score_vectors(vector)[0] == expected
    whole = np.pad(vector, ((0, 0), (0, len(FEATURE_NAMES) - 6)), constant_values=5.0)
    assert scorer.score_vectors(whole)[0] == expected


def test_a_model_may_take_what_only_the_moment_knows() -> None:
    names = ("recency", "mobile", "offer_clicks")
    spec = ModelSpec(0.0, (0.01, 2.0, -1.0), features=names)
    scorer = load_scorer(_stored(spec))
    assert scorer.takes_moment
    row = np.random.default_rng(9).random((1, len(FEATURE_NAMES)), dtype=np.float32)
    taken = [float(row[0, FEATURE_NAMES.index(name)]) for name in names]
    assert scorer.score_vectors(row)[0] == pytest.approx(spec.probabilities([taken])[0], abs=1e-6)


def test_a_moment_feature_of_another_definition_is_refused() -> None:
    spec = ModelSpec(0.0, (1.0,), features=("clicks",))
    assert _refusal(_stored(spec, fingerprints=("0" * 12,))).check == "features"


def test_an_unknown_feature_is_refused_by_its_name() -> None:
    refusal = _refusal(_stored(ModelSpec(coefficients=(1.0,), features=("shoe_size",))))
    assert (refusal.check, "shoe_size" in refusal.problem) == ("features", True)


def test_a_feature_of_another_definition_is_refused() -> None:
    fingerprints = ("0" * 12, *_FINGERPRINTS[1:])
    refusal = _refusal(_stored(_SPEC, fingerprints=fingerprints))
    assert (refusal.check, STATE_FEATURE_NAMES[0] in refusal.problem) == ("features", True)


@pytest.mark.parametrize(
    "changes",
    [
        {"features": (), "fingerprints": ()},
        {"fingerprints": _FINGERPRINTS[:5]},
        {"features": STATE_FEATURE_NAMES[:5]},
    ],
)
def test_features_and_fingerprints_have_to_match_up(changes: dict[str, Any]) -> None:
    assert _refusal(_stored(_SPEC, **changes)).check == "features"


@pytest.mark.parametrize("file", [b"", b"garbage", _SPEC.file[: len(_SPEC.file) // 2], bytes(1000)])
def test_a_file_that_is_no_model_is_refused(file: bytes) -> None:
    assert _refusal(_stored(_SPEC, file)).check in {"load", "shape"}


@pytest.mark.parametrize(
    "file", [_onnx("Sigmoid", inputs=5), _onnx("Sigmoid", inputs=7), _onnx("Sigmoid", output="label")]
)
def test_a_model_of_another_shape_is_refused(file: bytes) -> None:
    assert _refusal(_stored(_SPEC, file)).check == "shape"


def test_a_model_that_takes_doubles_is_refused() -> None:
    model = onnx.load_model_from_string(_onnx("Sigmoid"))
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.DOUBLE
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.DOUBLE
    assert _refusal(_stored(_SPEC, model.SerializeToString())).check == "shape"


def test_answers_that_are_not_numbers_are_refused() -> None:
    rows = (GoldenRow((-1.0,) * 6, 0.5),)
    refusal = _refusal(_stored(_SPEC, _onnx("Sqrt"), golden=rows))
    assert (refusal.check, "not finite" in refusal.problem) == ("golden", True)


@pytest.mark.parametrize(("difference", "refused"), [(0.5 * GOLDEN_TOLERANCE, False), (3 * GOLDEN_TOLERANCE, True)])
def test_golden_rows_may_differ_by_the_tolerance_and_no_more(difference: float, refused: bool) -> None:
    golden = tuple(replace(row, probability=row.probability + difference) for row in _SPEC.golden)
    stored = _stored(_SPEC, golden=golden)
    if refused:
        assert _refusal(stored).check == "golden"
    else:
        assert isinstance(load_scorer(stored), Scorer)


@pytest.mark.parametrize(
    "golden",
    [
        (),
        (GoldenRow((0.0,) * 5, 0.5),),
        (GoldenRow((0.0,) * 6, 0.5), GoldenRow((0.0,), 0.5)),
        (GoldenRow((), 0.5),),
    ],
)
def test_golden_rows_that_say_nothing_are_refused(golden: tuple[GoldenRow, ...]) -> None:
    assert _refusal(_stored(_SPEC, golden=golden)).check == "golden"


@pytest.mark.parametrize("operator", ["ReduceMax", "Transpose"])
def test_a_model_that_answers_something_else_than_two_classes_per_row_is_refused(operator: str) -> None:
    assert _refusal(_stored(_SPEC, _onnx(operator))).check == "golden"
