"""What every model family promises, over the registry: a new family's file is tested without writing a test."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from threadpoolctl import threadpool_limits

from automl_assets.learn.families import Contributions, Family, FitData, FitLimits, Shape, registry
from automl_assets.learn.features import Encoder

KINDS = {"regression": 0, "binary": 2, "multiclass": 3}
ROLES = {"size": "numeric", "colour": "categorical"}
COLOURS = np.array(["red", "green", "blue", "grey"])


def limits(seconds: float = 60.0, seed: int = 0) -> FitLimits:
    return FitLimits(seed=seed, threads=1, stop_at=time.monotonic() + seconds)


def table_of(rows: int, seed: int) -> pa.Table:
    generator = np.random.default_rng(seed)
    size = generator.normal(size=rows)
    colour = COLOURS[generator.integers(0, 4, rows)]
    missing = generator.random(rows) < 0.1
    return pa.table({"size": pa.array(size, mask=missing), "colour": pa.array(colour, mask=missing[::-1])})


def target_of(table: pa.Table, classes: int) -> np.ndarray:
    size = np.nan_to_num(table.column("size").to_numpy().astype(float))
    red = np.array([value == "red" for value in table.column("colour").to_pylist()])
    signal = size + 1.5 * red + np.random.default_rng(len(size)).normal(scale=0.5, size=len(size))
    if not classes:
        return 3.0 * signal
    return np.digitize(signal, [0.4] if classes == 2 else [-0.2, 0.9]).astype(np.int64)


def data_of(family: type[Family], classes: int, rows: int = 240) -> tuple[FitData, Encoder]:
    train, valid = table_of(rows, 1), table_of(rows // 2, 2)
    encoder = Encoder.fit(train, ROLES, family.view)
    data = FitData(
        X=encoder.transform(train),
        y=target_of(train, classes),
        weight=None,
        X_valid=encoder.transform(valid),
        y_valid=target_of(valid, classes),
        weight_valid=None,
        categorical=encoder.categorical,
        nominal=encoder.categorical,
    )
    return data, encoder


def matrix_data(X: np.ndarray, y: np.ndarray, weight: np.ndarray | None = None) -> FitData:
    """The same rows to learn from and to stop by; a matrix without categories or missing cells fits both views."""
    return FitData(X.astype(np.float32), y, weight, X.astype(np.float32), y, weight)


def fitted(family: type[Family], data: FitData, classes: int, seconds: float = 60.0) -> Family:
    shape = Shape(len(data.X), data.X.shape[1], classes)
    return family.fit(family.defaults(shape), data, shape, limits(seconds))


def assert_predictions(predicted: np.ndarray, rows: int, classes: int) -> None:
    assert predicted.shape == ((rows, classes) if classes else (rows,))
    assert np.isfinite(predicted).all()
    if classes:
        assert predicted.min() >= 0
        np.testing.assert_allclose(predicted.sum(axis=1), 1, atol=1e-5)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """As a fold's fit does."""
    with threadpool_limits(1):
        yield


@pytest.fixture(params=registry.names())
def family(request: pytest.FixtureRequest) -> type[Family]:
    return registry.get(request.param)


@pytest.fixture(params=KINDS.values(), ids=list(KINDS))
def classes(request: pytest.FixtureRequest) -> int:
    return request.param


class Bounds:
    """A `Suggest` that answers with one end of each range, and keeps the ranges."""

    def __init__(self, end: int):
        self.end = end
        self.ranges: dict[str, Any] = {}

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        assert low < high
        assert not log or low > 0
        self.ranges[name] = (low, high)
        return (low, high)[self.end]

    def suggest_int(self, name: str, low: int, high: int, *, log: bool = False) -> int:
        assert low < high
        self.ranges[name] = (low, high)
        return (low, high)[self.end]

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        self.ranges[name] = tuple(choices)
        return choices[-self.end]


def test_it_learns_predicts_and_is_the_same_after_save_and_load(
    family: type[Family], classes: int, tmp_path: Path
) -> None:
    data, _ = data_of(family, classes)
    before = data.X.copy()
    model = fitted(family, data, classes)
    predicted = model.predict(data.X_valid)
    assert_predictions(predicted, 120, classes)
    if classes:
        assert (predicted.argmax(axis=1) == data.y_valid).mean() > 0.6
    else:
        assert np.mean((predicted - data.y_valid) ** 2) < 0.5 * np.var(data.y_valid)
    model.save(tmp_path)
    np.testing.assert_array_equal(family.load(tmp_path).predict(data.X_valid), predicted)
    np.testing.assert_allclose(family.load(tmp_path).predict(data.X_valid[:1]), predicted[:1], rtol=1e-6)
    np.testing.assert_array_equal(data.X, before)


def said_by(contributions: Contributions | None, classes: int) -> np.ndarray:
    """What contributions add up to, in the form of a prediction."""
    assert contributions is not None
    whole = contributions.base + contributions.parts.sum(axis=1)
    if not classes:
        return whole[:, 0]
    if contributions.units == "probability":
        return whole
    logits = whole if whole.shape[1] > 1 else np.column_stack([np.zeros(len(whole)), whole])
    exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponents / exponents.sum(axis=1, keepdims=True)


def assert_contributions(model: Family, X: np.ndarray, background: np.ndarray, classes: int) -> None:
    """They are whole, and add up to the prediction; or there are none."""
    found = model.contributions(X, background)
    if not model.can_contribute():
        assert found is None
        return
    assert found is not None
    outputs = classes if found.units == "probability" else max(1, found.base.shape[1])
    assert found.parts.shape == (len(X), X.shape[1], outputs)
    assert found.base.shape == (len(X), outputs)
    assert np.isfinite(found.parts).all()
    assert np.isfinite(found.base).all()
    np.testing.assert_allclose(said_by(found, classes), model.predict(X), atol=1e-4)


def test_contributions_add_up_to_the_prediction_before_and_after_saving(
    family: type[Family], classes: int, tmp_path: Path
) -> None:
    data, _ = data_of(family, classes)
    model = fitted(family, data, classes)
    model.save(tmp_path)
    for one in (model, family.load(tmp_path)):
        assert_contributions(one, data.X_valid, data.X[:30], classes)
        assert_contributions(one, data.X_valid[:1], data.X[:1], classes)


@pytest.mark.parametrize(
    ("columns", "y"),
    [
        (np.random.default_rng(0).normal(size=(80, 2)), np.arange(80) % 2 * 2),  # no row of the class between
        (np.random.default_rng(0).normal(size=(80, 2)), np.zeros(80)),
        (np.ones((90, 2)), np.arange(90) % 3),
    ],
    ids=["a class is absent", "a single class", "constant columns"],
)
def test_contributions_add_up_where_there_is_little_to_learn(
    family: type[Family], columns: np.ndarray, y: np.ndarray
) -> None:
    model = fitted(family, matrix_data(columns, y.astype(np.int64)), 3, seconds=0.5)
    assert_contributions(model, columns.astype(np.float32), columns.astype(np.float32), 3)


def test_contributions_stand_in_the_order_of_the_features(family: type[Family]) -> None:
    """A category first, then a column of noise, then a number that matters most."""
    generator = np.random.default_rng(0)
    X = np.column_stack([np.arange(300) % 4, generator.normal(size=300), generator.normal(size=300)])
    data = matrix_data(X, 2.0 * X[:, 0] + 8.0 * X[:, 2])
    if family.view == "codes":
        data = replace(data, categorical=[0], nominal=[0])
    found = fitted(family, data, 0).contributions(data.X[:50], data.X[50:100])
    if found is not None:
        sizes = np.abs(found.parts[:, :, 0]).mean(axis=0)
        assert sizes.argsort().tolist() == [1, 0, 2]


def test_these_families_can_contribute() -> None:
    able = {name for name, family in registry.all().items() if family.can_contribute()}
    assert able == {"catboost", "extra_trees", "lightgbm", "linear", "stack", "xgboost"}


def test_the_same_seed_gives_the_same_model(family: type[Family], classes: int) -> None:
    data, _ = data_of(family, classes)
    once, again = (fitted(family, data, classes).predict(data.X_valid) for _ in range(2))
    np.testing.assert_array_equal(once, again)


def test_the_same_fit_an_hour_later_is_stored_as_the_same_bytes(
    family: type[Family], classes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, stored = time.time(), []
    for hour in (0, 1):
        folder = tmp_path / str(hour)
        folder.mkdir()
        data, _ = data_of(family, classes)
        monkeypatch.setattr(time, "time", lambda hour=hour: now + 3600 * hour)
        fitted(family, data, classes).save(folder)
        stored.append({path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()})
    assert stored[0] == stored[1]


def test_unseen_categories_and_new_missing_cells_get_predictions(family: type[Family], classes: int) -> None:
    data, encoder = data_of(family, classes)
    strange = pa.table({"size": pa.array([None, 0.5, 1e30, None]), "colour": ["octarine", None, "red", None]})
    model = fitted(family, data, classes)
    assert_predictions(model.predict(encoder.transform(strange)), 4, classes)
    assert_predictions(model.predict(encoder.transform(strange.select(["size"]))), 4, classes)


def test_rows_weigh_what_they_are_said_to_weigh(family: type[Family], classes: int) -> None:
    """Nothing predicts the target here, so the answer is the weighted share, or the weighted mean."""
    y = np.arange(300) % max(classes, 2)
    X = (np.arange(300) // 6 % 5)[:, None]
    weight = np.where(y == 1, 18.0, 2.0)
    labels = y if classes else y * 10.0
    shape = Shape(300, 1, classes)
    predicted = family.fit(family.defaults(shape), matrix_data(X, labels, weight), shape, limits()).predict(
        X.astype(np.float32)
    )
    mean = predicted[:, 1].mean() if classes else predicted.mean() / 10
    assert mean == pytest.approx(18 / (18 + 2 * (max(classes, 2) - 1)), abs=0.04)


@dataclass(frozen=True)
class TimeIsUp(FitLimits):
    """Limits whose time is up from the first; counts how often a family asks."""

    asked: list[bool] = field(default_factory=list)

    def time_is_up(self) -> bool:
        self.asked.append(True)
        return super().time_is_up()


def test_a_fit_whose_time_is_up_ends_at_once_with_a_model(family: type[Family], classes: int) -> None:
    generator = np.random.default_rng(0)
    X = generator.normal(size=(4_000, 8))
    noise = X[:, 0] + X[:, 1] ** 2 + generator.normal(size=4_000)
    y = noise if not classes else np.digitize(noise, [0.5] if classes == 2 else [0, 1.5]).astype(np.int64)
    shape = Shape(4_000, 8, classes)
    over = TimeIsUp(seed=0, threads=1, stop_at=time.monotonic())
    begun = time.monotonic()
    model = family.fit(family.defaults(shape), matrix_data(X, y), shape, over)
    assert time.monotonic() - begun < 8
    assert len(over.asked) <= 1, "it went on after it was told that its time is up"
    assert_predictions(model.predict(X.astype(np.float32)), 4_000, classes)


@pytest.mark.parametrize("name", ["catboost", "extra_trees", "hist_gradient_boosting", "lightgbm", "xgboost"])
def test_families_that_grow_in_steps_ask_whether_their_time_is_up(name: str) -> None:
    data, _ = data_of(registry.get(name), 2)
    shape = Shape(240, data.X.shape[1], 2)
    over = TimeIsUp(seed=0, threads=1, stop_at=time.monotonic())
    registry.get(name).fit(registry.get(name).defaults(shape), data, shape, over)
    assert len(over.asked) == 1


@pytest.mark.parametrize("columns", [1, 400], ids=["one column", "wide"])
def test_narrow_and_wide_tables_can_be_learnt_from(family: type[Family], classes: int, columns: int) -> None:
    X = np.random.default_rng(0).normal(size=(60, columns))
    y = X[:, 0] if not classes else np.digitize(X[:, 0], [0] if classes == 2 else [-0.5, 0.5]).astype(np.int64)
    model = fitted(family, matrix_data(X, y), classes, seconds=0.3)
    predicted = model.predict(X.astype(np.float32))
    assert_predictions(predicted, 60, classes)
    assert predicted.std() > 0


def test_constant_columns_give_the_mean_or_the_shares(family: type[Family], classes: int) -> None:
    y = np.arange(90) % max(classes, 2)
    predicted = fitted(family, matrix_data(np.ones((90, 2)), y if classes else y * 4.0), classes).predict(
        np.ones((3, 2), np.float32)
    )
    assert_predictions(predicted, 3, classes)
    np.testing.assert_allclose(predicted, 1 / classes if classes else 2.0, atol=0.02)


def test_a_class_that_no_training_row_has_gets_a_column(family: type[Family], tmp_path: Path) -> None:
    X = np.random.default_rng(0).normal(size=(80, 2))
    y = (X[:, 0] > 0).astype(np.int64) * 2
    model = fitted(family, matrix_data(X, y), 3, seconds=0.5)
    predicted = model.predict(X.astype(np.float32))
    assert_predictions(predicted, 80, 3)
    assert predicted[:, 1].max() < 0.1
    assert (predicted.argmax(axis=1) == y).mean() > 0.9
    model.save(tmp_path)
    np.testing.assert_array_equal(family.load(tmp_path).predict(X.astype(np.float32)), predicted)


def test_a_single_class_among_the_training_rows_is_predicted(family: type[Family], tmp_path: Path) -> None:
    X = np.random.default_rng(0).normal(size=(40, 2))
    data = replace(matrix_data(X, np.zeros(40, np.int64)), y_valid=np.arange(40) % 2)
    model = fitted(family, data, 2)
    predicted = model.predict(X.astype(np.float32))
    assert_predictions(predicted, 40, 2)
    assert predicted[:, 0].min() > 0.9
    model.save(tmp_path)
    np.testing.assert_array_equal(family.load(tmp_path).predict(X.astype(np.float32)), predicted)


def test_its_defaults_lie_inside_its_search_space(family: type[Family], classes: int) -> None:
    for rows in (100, 100_000):
        shape = Shape(rows, 10, classes)
        bounds = Bounds(0)
        suggested = family.space(bounds, shape)
        defaults = family.defaults(shape)
        assert set(suggested) == set(defaults) == set(bounds.ranges)
        for name, value in defaults.items():
            range_ = bounds.ranges[name]
            inside = value in range_ if isinstance(value, bool | str) else range_[0] <= value <= range_[1]
            assert inside, f"{name}={value} is outside {range_}"
        assert json.loads(json.dumps(defaults)) == defaults


@pytest.mark.parametrize("end", [0, 1], ids=["lowest", "highest"])
def test_both_ends_of_its_search_space_can_be_fitted(family: type[Family], end: int, classes: int) -> None:
    data, _ = data_of(family, classes, rows=80)
    shape = Shape(80, data.X.shape[1], classes)
    model = family.fit(family.space(Bounds(end), shape), data, shape, limits(seconds=0.3))
    assert_predictions(model.predict(data.X_valid), 40, classes)


def test_its_packages_can_be_imported(family: type[Family]) -> None:
    import importlib

    assert family.packages
    for package in family.packages:
        assert importlib.import_module(package)


def test_families_are_tried_in_different_places() -> None:
    orders = [family.order for family in registry.all().values()]
    assert len(set(orders)) == len(orders)
