import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pytest
from sklearn.metrics import roc_auc_score

from automl_assets.evaluation.reference import Reference, reference_of
from automl_assets.monitoring.multivariate import auc_of, domain_drift, reconstruction_drift, steady

ROLES = {"a": "numeric", "b": "numeric", "c": "categorical"}


def a_table(seed: int, rows: int = 1_500, *, shift: float = 0.0, sign: int = 1) -> pa.Table:
    """b follows a; c is a label."""
    generator = np.random.default_rng(seed)
    a = generator.normal(shift, 1, rows)
    return pa.table(
        {
            "a": pa.array(a, mask=generator.random(rows) < 0.05),
            "b": sign * a + generator.normal(0, 0.3, rows),
            "c": np.array(["x", "y", "z"])[generator.integers(0, 3, rows)],
        }
    )


@pytest.fixture(scope="module")
def reference() -> Reference:
    return reference_of(ds.dataset(a_table(0)), ROLES)


@pytest.mark.parametrize(
    ("batch", "low", "high", "certain"),
    [
        (a_table(1), 0.46, 0.54, False),
        (a_table(1, shift=1.0), 0.7, 0.9, True),
        (a_table(1, sign=-1), 0.85, 1.0, True),  # each column alone is what it was
        (a_table(1).set_column(2, "c", pa.array(["w"] * 1_500)), 0.99, 1.0, True),
    ],
)
def test_a_classifier_tells_what_differs_and_nothing_else(
    reference: Reference, batch: pa.Table, low: float, high: float, certain: bool
) -> None:
    found = domain_drift(reference, batch, list(ROLES))

    assert found is not None
    assert low <= found["auc"] <= high
    assert found["low"] <= found["auc"]
    assert (found["low"] > 0.55, found["p_value"] < 0.01) == (certain, certain)
    assert found["rows"] == 3_000


def test_the_same_rows_and_seed_have_the_same_answer(reference: Reference) -> None:
    assert domain_drift(reference, a_table(1), ["a"], seed=3) == domain_drift(reference, a_table(1), ["a"], seed=3)


@pytest.mark.parametrize(("names", "rows"), [([], 1_500), (["unknown"], 1_500), (["a"], 199)])
def test_without_features_or_rows_there_is_no_answer(reference: Reference, names: list[str], rows: int) -> None:
    assert domain_drift(reference, a_table(1, rows), names) is None


def test_the_area_and_its_variance_by_hand_and_by_resampling() -> None:
    generator = np.random.default_rng(0)
    y = np.repeat([0, 1], 150)

    areas, variances = [], []
    for _ in range(300):
        scores = np.round(generator.normal(0.8 * y, 1), 1)
        area, variance, _ = auc_of(y, scores)
        assert area == pytest.approx(roc_auc_score(y, scores))
        areas.append(area)
        variances.append(variance)

    assert np.mean(variances) == pytest.approx(np.var(areas), rel=0.25)
    assert auc_of(np.array([0, 1, 0, 1]), np.zeros(4)) == (0.5, 0.0, 5 / 48)


@pytest.mark.parametrize(
    ("batch", "drifted"),
    [(a_table(1), False), (a_table(1, sign=-1), True), (a_table(1, shift=6.0), True)],
)
def test_rows_that_lie_elsewhere_are_found_by_reconstruction(
    reference: Reference, batch: pa.Table, drifted: bool
) -> None:
    found = reconstruction_drift(reference, batch)

    assert found is not None
    assert found["drifted"] is drifted
    assert found["reason"].startswith("rows lie elsewhere" if drifted else "rows lie where")


def test_reconstruction_needs_all_columns_and_rows(reference: Reference) -> None:
    assert reconstruction_drift(reference, a_table(1).drop_columns(["b"])) is None
    assert reconstruction_drift(reference, a_table(1, rows=100)) is None
    assert reconstruction_drift(reference_of(ds.dataset(a_table(0, rows=30)), ROLES), a_table(1)) is None


def test_features_that_move_by_themselves_are_not_steady() -> None:
    rows = [
        {"name": "counter", "aspect": "distribution", "allowance": 0.9},
        {"name": "age", "aspect": "distribution", "allowance": 0.1},
        {"name": "age", "aspect": "missing", "allowance": 0.0},
    ]

    assert steady(rows) == ["age"]
