"""What the tabular network does beyond the families' contract."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info

from automl_assets.learn.families import FitData, FitLimits, Shape, registry
from automl_assets.learn.families._network_layers import Inputs, numpy_forward
from automl_assets.learn.families._network_numpy import NumpyTrainer, gradient
from automl_assets.learn.families._network_torch import TorchTrainer, step_loss, torch_forward
from automl_assets.learn.families._network_training import (
    STEPS_REGARDLESS_OF_TIME,
    AdamW,
    Pace,
    Rows,
    Target,
    flattened,
    initial,
    plan,
    views,
)
from automl_assets.learn.families.network import FILE, Network

NAN = np.nan


def limits(seconds: float = 60.0, seed: int = 0, trees: int | None = None) -> FitLimits:
    return FitLimits(seed=seed, threads=1, stop_at=time.monotonic() + seconds, trees=trees)


def data_of(
    X: np.ndarray, y: np.ndarray, weight: np.ndarray | None = None, categorical: tuple[int, ...] = ()
) -> FitData:
    """The first three quarters of the rows to learn from, the others to stop by."""
    X, n = X.astype(np.float32), len(X) * 3 // 4
    some, others = (None, None) if weight is None else (weight[:n], weight[n:])
    return FitData(X[:n], y[:n], some, X[n:], y[n:], others, list(categorical), list(categorical))


def fitted(data: FitData, classes: int = 0, **changes: float) -> Network:
    shape = Shape(len(data.X), data.X.shape[1], classes)
    return Network.fit({**Network.defaults(shape), **changes}, data, shape, limits())


def mixed_table(rows: int, seed: int = 0) -> tuple[np.ndarray, tuple[int, ...]]:
    """Two numbers, a category of 4 and one of 30, with missing cells in all but the first."""
    generator = np.random.default_rng(seed)
    X = np.column_stack(
        [
            generator.normal(size=rows),
            generator.lognormal(sigma=3, size=rows),
            generator.integers(0, 4, rows),
            generator.integers(0, 30, rows),
        ]
    )
    X[:, 1:][generator.random((rows, 3)) < 0.1] = NAN
    return X.astype(np.float32), (2, 3)


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("classes", [0, 2, 3])
def test_the_gradient_and_the_forward_pass_in_numpy_agree_with_those_in_torch(depth: int, classes: int) -> None:
    X, categorical = mixed_table(300)
    data = data_of(X, np.arange(300) % (classes or 7), np.linspace(0, 2, 300), categorical)
    inputs, target = Inputs.fit(data.X, data.nominal), Target.fit(data, classes)
    rows = Rows.of(inputs, target, data.X, data.y, data.weight)
    params = {**Network.defaults(Shape(225, 4, classes)), "width": 32, "depth": depth}
    weights = initial(params, inputs, target, rows, seed=0)
    shapes, flat = {name: value.shape for name, value in weights.items()}, flattened(weights)
    of_numpy = np.full_like(flat, NAN)

    def relu(hidden: np.ndarray) -> np.ndarray:
        kept = (hidden > 0).astype(np.float32)
        hidden *= kept
        return kept

    gradient(weights, rows, views(of_numpy, shapes), relu)
    leaf = torch.from_numpy(flat).requires_grad_()
    parts = [torch.from_numpy(part) for part in (rows.z, rows.flags, rows.codes, rows.y, rows.weight)]
    step_loss(views(leaf, shapes), (parts[0], parts[1], parts[2], parts[3], parts[4]), dropout=0.0).backward()
    of_torch = leaf.grad
    assert of_torch is not None
    np.testing.assert_allclose(of_numpy, of_torch.numpy(), atol=1e-6, rtol=1e-4)

    raw = numpy_forward({k: v.astype(np.float64) for k, v in weights.items()}, rows.z, rows.flags, rows.codes)
    expected = torch_forward(views(leaf.detach(), shapes), parts[0], parts[1], parts[2]).numpy()
    np.testing.assert_allclose(raw, expected, atol=1e-5)
    assert raw.shape == (8, 225, max(classes, 1))


@pytest.mark.parametrize("classes", [0, 3])
def test_both_trainers_take_the_same_steps(classes: int) -> None:
    X, categorical = mixed_table(300)
    data = data_of(X, np.arange(300) % 3, categorical=categorical)
    inputs, target = Inputs.fit(data.X, data.nominal), Target.fit(data, classes)
    rows = Rows.of(inputs, target, data.X, data.y, None)
    params = {**Network.defaults(Shape(225, 4, classes)), "width": 32, "dropout": 0.0}
    weights, limit = initial(params, inputs, target, rows, seed=0), limits()
    trainers = [NumpyTrainer(params, weights, rows, rows, 0), TorchTrainer(params, weights, rows, rows, limit)]
    before = trainers[0].loss()
    for trainer in trainers:
        for start in range(0, 200, 50):
            trainer.step(np.arange(start, start + 50), 0.01)
    for name, ours in trainers[0].weights().items():
        np.testing.assert_allclose(ours, trainers[1].weights()[name], atol=2e-4, err_msg=name)
    assert trainers[0].loss() == pytest.approx(trainers[1].loss(), rel=1e-3)
    assert trainers[0].loss() < before


def test_moments_that_nothing_moves_become_0_and_not_ever_smaller_numbers() -> None:
    flat = np.ones(2, np.float32)
    adam = AdamW(flat, {"heads": (2,)}, 0.0, np.asarray)
    adam.step(flat, np.array([1, 1], np.float32), 0.01)
    for _ in range(999):
        adam.step(flat, np.array([1, 0], np.float32), 0.01)
    tiny = np.finfo(np.float32).tiny
    for moment in (adam._mean, adam._square):
        assert moment[0] == pytest.approx(1, rel=1e-3)
        assert moment[1] == 0 or abs(moment[1]) > tiny
    assert adam._mean[1] == 0


INPUT_CASES = {
    "a number is centred, scaled by its quartiles, and clipped smoothly": (
        [0, 1, 2, 3, 4], [], [2, 4, 1e30, NAN], [[0], [1 / np.sqrt(1 + 1 / 9)], [3], [0]], []
    ),
    "a constant says nothing": ([7, 7, 7, 7], [], [7, 9, NAN], [[0], [0], [0]], []),
    "a column without any value says nothing": ([NAN, NAN], [], [NAN, 3], [[0], [0]], []),
    "missing is flagged where training had it": ([0, 1, 2, NAN], [], [1, NAN], [[0], [0]], [[0], [1]]),
    "few categories are flags, all 0 for an unseen one": (
        [0, 1, 2, NAN], [0], [0, 2, 3, NAN], [], [[1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0], [0, 0, 0, 1]]
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", INPUT_CASES.values(), ids=INPUT_CASES.keys())
def test_columns_become_inputs(
    case: tuple[list[float], list[int], list[float], list[list[float]], list[list[float]]],
) -> None:
    trained, categorical, applied, numbers, flags = case
    inputs = Inputs.fit(np.array(trained, np.float32)[:, None], categorical)
    scaled, flagged, codes = inputs.apply(np.array(applied, np.float32)[:, None])
    assert codes.shape == (len(applied), 0)
    np.testing.assert_allclose(scaled, np.array(numbers).reshape(len(applied), -1), atol=1e-6)
    np.testing.assert_allclose(flagged, np.array(flags).reshape(len(applied), -1))


def test_many_categories_are_rows_of_a_table_with_one_for_unseen_and_one_for_missing() -> None:
    X = np.tile(np.arange(10, dtype=np.float32)[:, None], (1, 2))
    codes = Inputs.fit(X, [0, 1]).apply(np.array([[0, 9], [10, 57], [NAN, NAN]], np.float32))[2]
    assert codes.tolist() == [[0, 12 + 9], [10, 12 + 10], [11, 12 + 11]]


def test_a_category_never_met_is_embedded_as_the_mean_of_those_that_were() -> None:
    codes = np.concatenate([np.arange(10), [0, 0]])[:, None]
    inputs, table = Inputs.fit(codes.astype(np.float32), [0]), np.arange(24.0).reshape(12, 2)
    inputs.give_strangers_the_mean(table, codes)
    assert table[9].tolist() == [18, 19]
    assert table[10].tolist() == table[11].tolist() == [90 / 12, 102 / 12]


def test_heavy_tails_are_compressed() -> None:
    values = np.random.default_rng(0).lognormal(sigma=3, size=(1000, 1)).astype(np.float32)
    inputs = Inputs.fit(values, [])
    top = np.sort(inputs.apply(values)[0][:, 0])[-100:]
    assert inputs.heavy.tolist() == [True]
    assert top[-1] - top[0] > 0.2


def test_it_learns_waves_and_interactions_that_a_line_cannot() -> None:
    X = np.random.default_rng(0).uniform(-2, 2, size=(1200, 4)).astype(np.float32)
    y = np.sin(4 * X[:, 0]) + X[:, 1] * X[:, 2]
    data, shape = data_of(X, y), Shape(900, 4, 0)
    linear = registry.get("linear")
    line = linear.fit(linear.defaults(shape), data, shape, limits())
    errors = [np.sqrt(np.mean((model.predict(data.X_valid) - data.y_valid) ** 2)) for model in (fitted(data), line)]
    assert errors[0] < 0.5 * errors[1]


def test_it_learns_from_flags_embeddings_and_missing_cells() -> None:
    X, categorical = mixed_table(1600)
    signal = 2 * np.isnan(X[:, 1]) + (X[:, 2] == 1) + (np.nan_to_num(X[:, 3], nan=0) % 2)
    data = data_of(X, (signal > 0.5).astype(np.int64), categorical=categorical)
    predicted = fitted(data, classes=2).predict(data.X_valid)
    assert (predicted.argmax(axis=1) == data.y_valid).mean() > 0.95


EXTREMES = {
    "nothing": [NAN] * 4,
    "strangers": [0, 1, 4, 30],
    "impossible codes": [0, 1, -5, 1e9],
    "huge": [1e30, -3e38, 1e30, 1e30],
    "infinite": [np.inf, -np.inf, np.inf, -np.inf],
}
TABLES = {
    "ten rows": lambda X: X[:10],
    "no value in a column": lambda X: np.where(np.arange(4) % 2, NAN, X),
    "constant columns": lambda X: np.ones_like(X),
    "one category": lambda X: np.where(np.arange(4) > 1, 0, X),
    "no value at all": lambda X: X * NAN,
    "huge values": lambda X: np.where(X[:, :1] > 1, [[1e30, 3e38, 1, 1]], X),
}


@pytest.mark.parametrize("classes", [0, 3])
@pytest.mark.parametrize("change", TABLES.values(), ids=TABLES.keys())
def test_predictions_are_finite_whatever_the_table_and_the_row(change, classes: int) -> None:
    X, categorical = mixed_table(60)
    X = change(X).astype(np.float32)
    y = np.arange(len(X)) % 3 if classes else np.arange(len(X)) * 1e20
    model = fitted(data_of(X, y, categorical=categorical), classes)
    predicted = model.predict(np.vstack([X, np.array(list(EXTREMES.values()), np.float32)]))
    assert np.isfinite(predicted).all()
    assert len(model.predict(X[:0])) == 0
    if classes:
        np.testing.assert_allclose(predicted.sum(axis=1), 1, atol=1e-6)
    else:
        assert predicted.min() >= 0
        assert predicted.max() <= y.max(), "beyond what training rows had"


def test_weights_that_are_all_0_count_as_none() -> None:
    X = np.random.default_rng(0).normal(size=(80, 2))
    zeros = np.zeros(80)
    weighted, unweighted = (fitted(data_of(X, X[:, 0], weight)) for weight in (zeros, None))
    np.testing.assert_array_equal(weighted.predict(X), unweighted.predict(X))


def test_rows_of_weight_0_are_not_learnt_from() -> None:
    X = np.random.default_rng(0).normal(size=(400, 1))
    false = np.arange(400) % 2 == 0
    model = fitted(data_of(X, np.where(false, -5.0, X[:, 0]), np.where(false, 0.0, 1.0)))
    assert np.abs(model.predict(X) - X[:, 0]).mean() < 0.3


def test_columns_without_a_category_may_be_absent_altogether() -> None:
    data = data_of(np.empty((60, 0)), np.arange(60) % 2)
    np.testing.assert_allclose(fitted(data, classes=2).predict(data.X_valid), 0.5, atol=0.1)


@pytest.mark.timeout(120)
def test_it_stops_in_time_and_is_annealed_when_it_does() -> None:
    X = np.random.default_rng(0).normal(size=(20_000, 20)).astype(np.float32)
    data, shape = data_of(X, np.sin(X[:, 0]) + X[:, 1]), Shape(15_000, 20, 0)
    begun = time.monotonic()
    model = Network.fit(Network.defaults(shape), data, shape, limits(seconds=1.5))
    assert time.monotonic() - begun < 6
    assert model.starved
    assert np.mean((model.predict(data.X_valid) - data.y_valid) ** 2) < 0.1


def test_the_rate_falls_to_0_over_the_steps_planned_when_time_is_plenty() -> None:
    pace, rates = Pace(200, limits(seconds=1000)), []
    while not pace.is_over():
        rates.append(pace.rate())
        pace.step()
    assert len(rates) == 200
    assert np.argmax(rates) in range(15, 25)
    assert rates[-1] < 1e-3
    assert pace.progress == pytest.approx(1)
    assert not pace.hurried


def test_the_rate_falls_to_0_over_the_time_that_is_left_when_it_is_short() -> None:
    pace, rates = Pace(100_000, limits(seconds=0.5)), []
    while not pace.is_over():
        rates.append(pace.rate())
        time.sleep(0.002)
        pace.step()
    assert len(rates) < 1000
    assert pace.progress > 0.8
    assert rates[-1] < 0.15
    assert pace.hurried


def test_a_stall_of_the_machine_does_not_hurry_the_training() -> None:
    pace = Pace(200, limits(seconds=20))
    for step in range(40):
        time.sleep(0.5 if step == 8 else 0.001)
        pace.step()
        assert not pace.hurried
    assert pace.progress == pytest.approx(0.2)


def test_a_pace_without_time_makes_the_few_steps_that_a_model_needs() -> None:
    pace = Pace(1000, limits(seconds=-1))
    while not pace.is_over():
        pace.step()
    assert pace.done == STEPS_REGARDLESS_OF_TIME


@pytest.mark.parametrize(
    ("rows", "batch", "epochs"), [(10, 32, 200), (600, 150, 50), (4_000, 256, 30), (50_000, 256, 12), (10**6, 256, 8)]
)
def test_batch_and_epochs_come_from_the_number_of_rows(rows: int, batch: int, epochs: int) -> None:
    assert plan(rows) == (batch, epochs)


def test_it_makes_no_more_epochs_than_there_is_said_to_be_time_for() -> None:
    X = np.random.default_rng(0).normal(size=(1_000, 3))
    data, shape = data_of(X, X[:, 0]), Shape(750, 3, 0)
    model = Network.fit(Network.defaults(shape), data, shape, limits(seconds=float("inf"), trees=7))
    assert model.trees == 7
    assert model.starved


def test_the_same_seed_writes_the_same_bytes_and_another_does_not(tmp_path: Path) -> None:
    X, categorical = mixed_table(300)
    data, shape = data_of(X, X[:, 0].astype(float), categorical=categorical), Shape(225, 4, 0)
    written = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        (tmp_path / name).mkdir()
        Network.fit(Network.defaults(shape), data, shape, limits(seed=seed)).save(tmp_path / name)
        with np.load(tmp_path / name / FILE, allow_pickle=False) as file:
            written.append({key: file[key].tobytes() for key in file.files})
    assert written[0] == written[1]
    assert written[0] != written[2]


def test_a_loaded_model_predicts_the_same_and_is_small(tmp_path: Path) -> None:
    X, categorical = mixed_table(300)
    data = data_of(X, np.arange(300) % 4, categorical=categorical)
    model = fitted(data, classes=4)
    model.save(tmp_path)
    np.testing.assert_array_equal(Network.load(tmp_path).predict(X), model.predict(X))
    assert (tmp_path / FILE).stat().st_size < 300_000


def test_a_row_alone_is_predicted_as_among_others_and_quickly() -> None:
    X = np.random.default_rng(0).normal(size=(400, 20)).astype(np.float32)
    model = fitted(data_of(X, X[:, 0]))
    alone = np.array([model.predict(X[i : i + 1])[0] for i in range(50)])
    np.testing.assert_allclose(alone, model.predict(X)[:50], rtol=1e-9)
    took = []
    for i in range(100):
        begun = time.perf_counter()
        model.predict(X[i : i + 1])
        took.append(time.perf_counter() - begun)
    assert min(took) < 1e-3


def test_neither_fitting_nor_predicting_needs_torch(tmp_path: Path) -> None:
    program = (
        "import sys, time, numpy as np; from pathlib import Path\n"
        "from automl_assets.learn.families import FitData, FitLimits, Shape\n"
        "from automl_assets.learn.families.network import Network\n"
        "X, shape = np.eye(60, 3, dtype='float32'), Shape(60, 3, 0)\n"
        "data = FitData(X, X[:, 0], None, X, X[:, 0], None)\n"
        "limits = FitLimits(seed=0, threads=1, stop_at=time.monotonic() + 60, trees=2)\n"
        f"folder = Path({str(tmp_path)!r})\n"
        "Network.fit(Network.defaults(shape), data, shape, limits).save(folder)\n"
        "Network.load(folder).predict(X)\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_fit_leaves_the_process_its_threads() -> None:
    X = np.random.default_rng(0).normal(size=(60, 2)).astype(np.float32)
    before = threadpool_info()
    fitted(data_of(X, X[:, 0]))
    assert threadpool_info() == before
