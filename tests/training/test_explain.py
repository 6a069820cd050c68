import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from automl_assets.learn.families import Family, FitData, FitLimits, Shape, registry
from automl_assets.learn.families.stack import with_predictions
from automl_assets.learn.features import Encoder
from automl_assets.problems.target import encode_target
from automl_assets.training.calibration import Calibration
from automl_assets.training.explain import explain_model, explain_rows
from automl_assets.training.explain_exact import as_probabilities, pushed
from automl_assets.training.model import FoldModel, Model
from automl_assets.training.shapley import Sampled, sample_contributions
from tests.training.small_models import Small

ABLE = sorted(name for name, family in registry.all().items() if family.can_contribute() and not family.stacks)


def background(small: Small) -> pa.Table:
    return small.load().clean(small.raw.filter(pa.array(small.rows["train"])))


def only(small: Small, family: str, folds: int = 1) -> Model:
    """A model of nothing but some folds of one family, neither smoothed nor calibrated."""
    trial = next(trial for trial in small.study.trials if trial.family == family)
    fitted = [FoldModel.load(small.store.fold_folder(trial.id, k), family) for k in range(folds)]
    card = replace(small.load().card, prior=(), prior_share=0.0, calibration=Calibration(), members=described(family))
    return Model(card, [(1.0, fitted)])


def described(*families: str) -> tuple[dict[str, Any], ...]:
    """The members as a card names them; a stack layer learns from the others."""
    inputs = {"stack": {"inputs": [name for name in families if name != "stack"]}}
    return tuple({"name": name, "family": name, **inputs.get(name, {})} for name in families)


def explained_output(model: Model, raw: pa.Table) -> list[float]:
    said = model.predict(raw)
    if not model.card.classes:
        return said.tolist()
    return said[:, 1].tolist() if said.shape[1] == 2 else said.max(axis=1).tolist()


# ---- what adds up ------------------------------------------------------------------------------------------------


def test_base_and_contributions_add_up_to_what_the_model_says(small: Small) -> None:
    model = small.load()

    found = explain_rows(model, small.raw, background=background(small), rows=6, seconds=60)

    assert [one.row for one in found] == [0, 1, 2, 3, 4, 5]
    assert [one.output for one in found] == pytest.approx(explained_output(model, small.raw.slice(0, 6)), abs=1e-6)
    for one in found:
        assert one.base + sum(c.contribution for c in one.contributions) == pytest.approx(one.output, abs=1e-6)
        assert {c.column for c in one.contributions} == {"age", "income", "city"}
        sizes = [abs(c.contribution) for c in one.contributions]
        assert sizes == sorted(sizes, reverse=True)


@pytest.mark.parametrize("kind", ["binary", "multiclass"])
def test_classes_are_explained_by_a_probability(kind: str, request: pytest.FixtureRequest) -> None:
    small: Small = request.getfixturevalue(kind)
    model = small.load()

    found = explain_rows(model, small.raw, background=background(small), rows=8, seconds=60)

    predicted = model.labels(model.predict(small.raw.slice(0, 8))).tolist()
    assert [one.label for one in found] == (["yes"] * 8 if kind == "binary" else predicted)
    assert all(0 <= one.base <= 1 for one in found)


@pytest.mark.parametrize(("kind", "family"), [("binary", "xgboost"), ("regression", "lightgbm")])
def test_trees_are_explained_by_their_own_shapley_values(
    kind: str, family: str, request: pytest.FixtureRequest
) -> None:
    small: Small = request.getfixturevalue(kind)
    model, rows = only(small, family), small.raw.slice(0, 5)
    (fold,) = model._members[0][1]
    X = fold.encoder.transform(model.clean(rows))
    parts = fold.estimator.contributions(X, X)
    assert parts is not None

    found = explain_rows(model, rows, background=background(small), seconds=60)

    assert {(one.method, one.samples) for one in found} == {("exact", 0)}
    expected = parts.parts if kind == "regression" else as_probabilities(parts.parts, parts.base)[0]
    for i, one in enumerate(found):
        assert {c.column: c.contribution for c in one.contributions} == pytest.approx(
            dict(zip(fold.encoder.feature_names, expected[i, :, -1].tolist(), strict=False)), abs=1e-6
        )


def made_of(small: Small, *families: str) -> Model:
    """A model of one fold of each family, equally weighed, fitted on the small table's training rows."""
    whole, clean = small.load(), background(small)
    y, _ = encode_target(small.raw.column("y").filter(pa.array(small.rows["train"])), small.problem.classes)
    folds: list[FoldModel] = []
    for name in families:
        below = [one.estimator.predict(one.encoder.transform(clean)) for one in folds] if name == "stack" else []
        folds.append(fitted_fold(registry.get(name), clean, whole.feature_roles(), y, len(whole.card.classes), below))
    card = replace(whole.card, calibration=Calibration(), members=described(*families))
    return Model(card, [(1 / len(families), [fold]) for fold in folds])


def fitted_fold(
    kind: type[Family], clean: pa.Table, roles: dict[str, str], y: np.ndarray, classes: int, below: list[np.ndarray]
) -> FoldModel:
    encoder = Encoder.fit(clean, roles, kind.view)
    X = with_predictions(encoder.transform(clean), below)
    data = FitData(X, y, None, X[:60], y[:60], None, encoder.categorical, encoder.nominal)
    shape = Shape(len(X), X.shape[1], classes)
    limits = FitLimits(0, 1, time.monotonic() + 60, trees=30)
    return FoldModel(encoder, kind.fit(kind.defaults(shape), data, shape, limits))


def assert_adds_up(model: Model, small: Small, method: str, rows: int = 5) -> None:
    found = explain_rows(model, small.raw, background=background(small), rows=rows, seconds=60)

    assert [one.method for one in found] == [method] * rows
    for one, said in zip(found, explained_output(model, small.raw.slice(0, rows)), strict=True):
        assert one.base + sum(c.contribution for c in one.contributions) == pytest.approx(said, abs=1e-4)
        assert one.output == pytest.approx(said, abs=1e-9)
        errors = [c.standard_error for c in one.contributions]
        assert errors == [0.0, 0.0, 0.0] if method == "exact" else max(errors) > 0


@pytest.mark.parametrize("family", ABLE)
def test_a_family_that_can_contribute_is_explained_exactly(family: str, small: Small) -> None:
    assert_adds_up(made_of(small, family), small, "exact")


@pytest.mark.parametrize("weights", [(), (1.0, 8.0)], ids=["", "weighted"])
@pytest.mark.parametrize(
    "calibration",
    [
        Calibration(),
        Calibration("sigmoid", 1.7, -0.4),
        Calibration("isotonic", 0.8, knots=((-2.0, -1.0), (-0.5, 0.5), (0.4, 0.6), (1.5, 4.0))),
    ],
    ids=lambda one: one.method,
)
def test_two_classes_add_up_whatever_is_done_to_probabilities(
    binary: Small, calibration: Calibration, weights: tuple[float, ...]
) -> None:
    model = made_of(binary, "linear", "extra_trees")
    card = replace(model.card, prior=(0.7, 0.3), prior_share=0.1, calibration=calibration, class_weights=weights)

    assert_adds_up(Model(card, model.members), binary, "exact")


@pytest.mark.parametrize("weights", [(), (1.0, 8.0, 3.0)], ids=["", "weighted"])
@pytest.mark.parametrize(
    "calibration",
    [Calibration(), Calibration("temperature", 1.6), Calibration("vector", 0.7, intercepts=(0.3, -0.5, 0.2))],
    ids=lambda one: one.method,
)
def test_three_classes_add_up_whatever_is_done_to_probabilities(
    multiclass: Small, calibration: Calibration, weights: tuple[float, ...]
) -> None:
    model = made_of(multiclass, "linear", "extra_trees")
    card = replace(model.card, prior=(0.5, 0.3, 0.2), prior_share=0.1, calibration=calibration, class_weights=weights)

    assert_adds_up(Model(card, model.members), multiclass, "exact")


def test_the_folds_of_a_class_weighted_model_add_up(multiclass: Small) -> None:
    model = only(multiclass, "extra_trees", folds=3)

    assert_adds_up(Model(replace(model.card, class_weights=(1.0, 8.0, 3.0)), model.members), multiclass, "exact")


@pytest.mark.parametrize("families", [("lightgbm", "stack"), ("linear", "neighbours")])
def test_a_stack_layer_or_a_family_that_can_not_contribute_is_sampled(binary: Small, families: tuple[str, ...]) -> None:
    assert_adds_up(made_of(binary, *families), binary, "sampling", rows=2)


def test_parts_that_do_not_add_up_to_the_model_are_not_used(binary: Small) -> None:
    whole = binary.load()

    class Blended(Model):
        def predict_clean(self, clean: pa.Table, *, threads: int = 1) -> np.ndarray:
            return super().predict_clean(clean, threads=threads) ** 2

    model = Blended(whole.card, whole._members)

    (one,) = explain_rows(model, binary.raw, background=background(binary), rows=1, seconds=60)

    assert one.method == "sampling"
    assert one.base + sum(c.contribution for c in one.contributions) == pytest.approx(one.output, abs=1e-9)


@pytest.mark.parametrize(
    ("parts", "base", "expected"),
    [
        ([[3.0], [1.0]], [0.0], [[3 / 4], [1 / 4]]),  # from 0 to 4 the square root rises by 2; shares stay 3 : 1
        ([[0.0], [0.0]], [1.0], [[0.0], [0.0]]),
        ([[5.0], [-5.0]], [4.0], [[0.625], [-0.625]]),
    ],
)
def test_parts_are_carried_through_a_function(
    parts: list[list[float]], base: list[float], expected: list[list[float]]
) -> None:
    found, start = pushed(
        np.array([parts]), np.array([base]), lambda x: np.sqrt(x) / 2, lambda x, _: 0.25 / np.sqrt(x)[..., None]
    )

    assert found[0] == pytest.approx(np.array(expected), abs=1e-3)
    assert start[0] == pytest.approx(np.sqrt(np.array(base)) / 2)


# ---- sampling ----------------------------------------------------------------------------------------------------


ROWS = pa.table({"a": [2.0, 4.0], "b": [3.0, 1.0], "c": [5.0, 0.0]})
NOUGHT = pa.table({"a": [0.0], "b": [0.0], "c": [0.0]})


def column(table: pa.Table, name: str) -> np.ndarray:
    return table.column(name).to_numpy()


def sampled(function: Callable[[pa.Table], np.ndarray], rows: pa.Table, others: pa.Table, **args: Any) -> list[Sampled]:
    settings = {"stop_at": time.monotonic() + 60, "seed": 0, **args}
    outputs = np.zeros(rows.num_rows, dtype=int)
    return sample_contributions(
        lambda table: function(table)[:, None], rows, others, outputs, function(rows), **settings
    )


@pytest.mark.parametrize(
    ("function", "contributions"),
    [
        (lambda t: column(t, "a") + 2 * column(t, "b"), [[2, 6, 0], [4, 2, 0]]),
        (lambda t: column(t, "a") * column(t, "b"), [[3, 3, 0], [2, 2, 0]]),
        (lambda t: np.full(t.num_rows, 7.0), [[0, 0, 0], [0, 0, 0]]),
    ],
)
def test_shapley_values_of_known_functions(
    function: Callable[[pa.Table], np.ndarray], contributions: list[list[float]]
) -> None:
    found = sampled(function, ROWS, NOUGHT)

    assert [one.contributions.tolist() for one in found] == contributions
    assert [one.base for one in found] == function(pa.concat_tables([NOUGHT, NOUGHT])).tolist()


def test_sampling_agrees_with_what_is_exact(regression: Small) -> None:
    model, others = only(regression, "linear", folds=2), background(regression)

    exact = explain_rows(model, regression.raw, background=others, rows=3, seconds=60)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("automl_assets.training.explain.exact_parts", lambda *_: None)
        asked = explain_rows(model, regression.raw, background=others, rows=3, seconds=60)

    assert {one.method for one in asked} == {"sampling"}
    for one, other in zip(exact, asked, strict=True):
        assert (one.base, one.output) == pytest.approx((other.base, other.output), abs=1e-4)
        assert {c.column: c.contribution for c in one.contributions} == pytest.approx(
            {c.column: c.contribution for c in other.contributions}, abs=1e-4
        )


def test_one_column_explains_everything() -> None:
    (one,) = sampled(lambda t: column(t, "a") ** 2, ROWS.select(["a"]).slice(0, 1), NOUGHT.select(["a"]))

    assert (one.contributions.tolist(), one.base, one.output) == ([4.0], 0.0, 4.0)


def test_the_time_limit_is_kept_and_what_is_left_out_is_seen() -> None:
    def slow(table: pa.Table) -> np.ndarray:
        time.sleep(0.02)
        return column(table, "a")

    many = pa.table({name: np.arange(40.0) for name in "abc"})
    begun = time.monotonic()

    found = sampled(slow, many, many, stop_at=begun + 0.3)

    assert time.monotonic() - begun < 1.0
    assert 0 < len(found) <= 40
    assert all(one.samples >= 8 for one in found[:-1])
    assert sampled(slow, many, many, stop_at=time.monotonic()) == []


def test_a_row_that_time_runs_out_on_is_told_with_its_standard_errors() -> None:
    """A call for one background row takes 0.1 s here, and a row would need a hundred of them."""

    def slow(table: pa.Table) -> np.ndarray:
        time.sleep(0.02 * table.num_rows)
        return column(table, "a") * column(table, "b")

    many = pa.table({name: np.random.default_rng(i).normal(size=100) for i, name in enumerate("abc")})
    begun = time.monotonic()

    (one,) = sampled(slow, many.slice(0, 1), many, stop_at=begun + 0.7)

    assert time.monotonic() - begun < 1.5
    assert 2 <= one.samples <= 8
    assert one.errors[:2].min() > 0
    assert one.errors[2] == 0
    assert one.base + one.contributions.sum() == pytest.approx(one.output)


def test_standard_errors_say_how_far_off_the_contributions_are() -> None:
    """Against 2,000 background rows, of which 50 are drawn: nine of ten lie within two standard errors."""
    generator = np.random.default_rng(0)
    every = pa.table({name: generator.normal(size=2_000) for name in "abcdef"})

    def function(table: pa.Table) -> np.ndarray:
        a, b, c, d, e, f = (column(table, name) for name in "abcdef")
        return a * b + np.abs(c) + d * e * f + f

    means, errors = [], []
    for seed in range(20):
        drawn = every.take(pa.array(generator.permutation(2_000)[:50]))
        (one,) = sampled(function, every.slice(0, 1), drawn, seed=seed)
        means.append(one.contributions)
        errors.append(one.errors)

    off = np.abs(np.array(means) - np.mean(means, axis=0)) / np.array(errors)
    assert np.mean(off < 2) > 0.88
    assert np.mean(off < 1) < 0.85


def test_one_background_row_leaves_the_standard_error_unknown() -> None:
    (one,) = sampled(lambda t: column(t, "a"), ROWS.slice(0, 1), NOUGHT)

    assert np.isnan(one.errors).all()


def test_without_time_exact_parts_still_explain_the_first_row(regression: Small) -> None:
    model = regression.load()

    assert len(explain_rows(model, regression.raw, background=background(regression), rows=50, seconds=0)) == 1


def test_the_same_seed_explains_the_same(multiclass: Small) -> None:
    model, others = made_of(multiclass, "linear", "neighbours"), background(multiclass)
    first, second = (
        explain_rows(model, multiclass.raw, background=others, rows=1, seconds=60, seed=3) for _ in range(2)
    )

    assert first[0].method == "sampling"
    assert replace(first[0], seconds=0.0) == replace(second[0], seconds=0.0)


# ---- values ------------------------------------------------------------------------------------------------------


def test_values_of_private_and_text_columns_are_never_shown(binary: Small) -> None:
    whole = binary.load()
    model = Model(replace(whole.card, roles={**whole.card.roles, "city": "text"}), whole._members)
    raw = binary.raw.slice(0, 1).set_column(1, "age", pa.array([None], pa.float64()))

    (one,) = explain_rows(model, raw, background=background(binary), seconds=60, private=["income"])

    assert {c.column: c.value for c in one.contributions} == {"age": "missing", "income": None, "city": None}


@pytest.mark.parametrize(
    ("value", "shown"), [(40.123456789, "40.1235"), (None, "missing"), (float("nan"), "missing"), (1e12, "1e+12")]
)
def test_values_are_shown_as_people_read_them(regression: Small, value: float | None, shown: str) -> None:
    raw = regression.raw.slice(0, 1).set_column(1, "age", pa.array([value], pa.float64()))

    (one,) = explain_rows(regression.load(), raw, background=background(regression), seconds=60)

    assert {c.column: c.value for c in one.contributions}["age"] == shown


def test_a_table_without_rows_or_without_a_column_is_explained_as_far_as_it_goes(binary: Small) -> None:
    model, others = binary.load(), background(binary)

    assert explain_rows(model, binary.raw.slice(0, 0), background=others) == []
    (one,) = explain_rows(model, binary.raw.slice(0, 1).select(["income"]), background=others.slice(0, 0))
    assert {c.column: c.value for c in one.contributions}["city"] == "missing"
    assert one.base + sum(c.contribution for c in one.contributions) == pytest.approx(one.output, abs=1e-6)


# ---- the whole model -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("labelled", [True, False])
def test_columns_that_make_the_target_matter_most(regression: Small, labelled: bool) -> None:
    y, _ = encode_target(regression.raw.column("y"), ())

    found = explain_model(
        regression.load(), regression.raw, y if labelled else None, background=background(regression), seconds=60
    )

    assert {one.column for one in found} == {"age", "income", "city"}
    assert [one.importance for one in found] == sorted((one.importance for one in found), reverse=True)
    assert sum(one.share for one in found) == pytest.approx(1.0)
    assert min(one.share for one in found) > 0.1


def test_without_time_the_columns_that_were_not_measured_are_left_out(binary: Small) -> None:
    y, _ = encode_target(binary.raw.column("y"), binary.problem.classes)

    found = explain_model(binary.load(), binary.raw, y, background=background(binary), seconds=0)

    assert [(one.column, one.share) for one in found] == [("age", 1.0)]
