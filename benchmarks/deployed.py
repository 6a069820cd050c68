"""A version as the platform deploys it: a quick model, its reference and expectations; and verdicts about batches.

Reference, expectations, evidence, judgement and decision are the platform's own functions; only the model is simpler: a
small LightGBM instead of a search. `engine: own` computes the evidence. The alarms of the concept detectors, which can
only alert, are left out for their time, as is an estimate where a measurement outweighs it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from automl_assets.core.evidence import DriftReport, PerformanceReport, Verdict
from automl_assets.deciding.decide import Evidence, History, Policy, decide

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import pyarrow as pa

    from automl_assets.evaluation.expectations import Expectations

TOLERANCE = 0.02
POLICY = Policy()
IMPORTANCE_ROWS = 2_000
CLASSES = {"roc_auc": True, "log_loss": True, "rmse": False}


@dataclass(frozen=True)
class Model:
    """A fitted LightGBM on columns as numbers: a label is its place among the labels that it learnt from."""

    labels: "Mapping[str, pd.Index]"
    columns: Sequence[str]
    estimator: Any
    metric: str

    def matrix(self, frame: "pd.DataFrame") -> "np.ndarray":
        """The features as floats of shape (rows, columns); NaN for what is missing or unknown."""
        import numpy as np

        found = np.empty((len(frame), len(self.columns)))
        for i, name in enumerate(self.columns):
            if name in self.labels:
                codes = self.labels[name].get_indexer(frame[name]).astype(float)
                found[:, i] = np.where(codes < 0, np.nan, codes)
            else:
                found[:, i] = frame[name].to_numpy(dtype=float, na_value=np.nan)
        return found

    def predict(self, frame: "pd.DataFrame") -> "np.ndarray":
        """Probabilities of shape (rows, classes), or values of shape (rows,)."""
        X = self.matrix(frame)
        return self.estimator.predict_proba(X) if CLASSES[self.metric] else self.estimator.predict(X)


def fit(frame: "pd.DataFrame", y: "np.ndarray", metric: str, estimator: Any) -> Model:
    """A model of the frame's columns; `y` holds class indices or numbers."""
    import pandas as pd

    texts = [name for name in frame.columns if not pd.api.types.is_numeric_dtype(frame[name])]
    labels = {name: pd.Index(frame[name].dropna().unique()) for name in texts}
    model = Model(labels, list(frame.columns), estimator, metric)
    estimator.fit(model.matrix(frame), y)
    return model


@dataclass(frozen=True)
class Version:
    """A model with what the platform remembers beside it. The folder holds its reference."""

    name: str
    folder: Path
    model: Model
    importances: Mapping[str, float]
    expectations: "Expectations"

    @property
    def metric(self) -> str:
        """What it is judged by."""
        return self.model.metric

    def drift(self, frame: "pd.DataFrame", seed: int = 0) -> DriftReport:
        """The batch against the reference."""
        import pyarrow.parquet as pq

        from automl_assets.monitoring.evidence import compare_with_reference
        from automl_assets.monitoring.judge import STAYS_ON, judge_drift

        with TemporaryDirectory(prefix="automl-benchmark-") as scratch:
            path = Path(scratch) / "batch.parquet"
            pq.write_table(arrow(frame.loc[:, list(self.model.columns)]), path)
            evidence = compare_with_reference(
                str(self.folder),
                [str(path)],
                engine="own",
                importances=self.importances,
                importance_share=STAYS_ON * POLICY.importance_share,
                seed=seed,
            )
        return judge_drift(evidence)

    def performance(self, predicted: "np.ndarray", y: "np.ndarray | None", seed: int = 0) -> PerformanceReport:
        """Measured with labels, estimated without."""
        from automl_assets.monitoring.estimate import estimate_performance
        from automl_assets.monitoring.shift import prediction_shift

        found: dict[str, Any] = {"value": None, "reason": "no labels"}
        if y is None:
            estimated = estimate_performance(
                self.metric, predicted, self.expectations, tolerance=TOLERANCE, no_losses="no loss model", seed=seed
            )
            found |= {"estimated": estimated.value, "estimated_drop": estimated.drop}
        else:
            found |= self._measured(predicted, y, seed)
        return PerformanceReport(
            metric=self.metric,
            rows=0 if y is None else len(y),
            predictions=prediction_shift(self.expectations, predicted),
            **found,
        )

    def _measured(self, predicted: "np.ndarray", y: "np.ndarray", seed: int) -> dict[str, Any]:
        import numpy as np

        from automl_assets.evaluation.variation import resampled
        from automl_assets.learn.score import interval_of, metric_named
        from automl_assets.monitoring.estimate import drop_from
        from automl_assets.monitoring.shift import target_shift

        metric, realised = metric_named(self.metric), self.expectations.realised
        value = metric(y, predicted)
        if not np.isfinite(value) or realised is None:
            return {"value": None, "reason": f"{self.metric} is undefined on these rows"}
        around = resampled(metric, y, predicted, seed=seed)
        return {
            "value": interval_of(around, value),
            "reason": "measured",
            "drop": drop_from(metric, realised, value, float(np.nanstd(around)), rows=len(y), tolerance=TOLERANCE),
            "target": target_shift(self.expectations, y),
        }


def deploy(
    name: str,
    folder: Path,
    model: Model,
    reference: "tuple[pd.DataFrame, np.ndarray]",
    holdout: "tuple[pd.DataFrame, np.ndarray]",
    seed: int,
) -> Version:
    """Write the reference of the training rows, and note what the model does on the holdout."""
    import pyarrow.dataset as ds

    from automl_assets.evaluation.expectations import build_expectations
    from automl_assets.evaluation.reference import build_reference

    frame, y = reference
    roles = {column: "categorical" if column in model.labels else "numeric" for column in model.columns}
    rows, share = ds.dataset(arrow(frame.loc[:, list(model.columns)])), len(frame) / (len(frame) + len(holdout[0]))
    build_reference(rows, roles, folder, share=share, seed=seed)
    predicted = model.predict(holdout[0])
    expectations = build_expectations(model.metric, holdout[1], predicted, target=y, seed=seed)
    return Version(name, folder, model, importances_of(model, *holdout, seed=seed), expectations)


def importances_of(model: Model, frame: "pd.DataFrame", y: "np.ndarray", seed: int) -> dict[str, float]:
    """By how much the metric worsens when a column is shuffled, on 2,000 rows at most."""
    import numpy as np

    from automl_assets.learn.score import metric_named

    generator = np.random.default_rng(seed)
    chosen = generator.permutation(len(y))[:IMPORTANCE_ROWS]
    metric, y = metric_named(model.metric), y[chosen]
    X = model.matrix(frame.iloc[chosen])
    predict: Callable[[np.ndarray], np.ndarray] = (
        model.estimator.predict_proba if CLASSES[model.metric] else model.estimator.predict
    )
    base = metric.loss(metric(y, predict(X)))
    found = {}
    for i, name in enumerate(model.columns):
        shuffled = X.copy()
        shuffled[:, i] = generator.permutation(shuffled[:, i])
        found[name] = max(0.0, metric.loss(metric(y, predict(shuffled))) - base)
    return found


def verdict_on(
    version: Version,
    sequence: int,
    drift: DriftReport,
    performance: PerformanceReport,
    history: History,
    now: datetime,
) -> Verdict:
    """What the platform decides about a batch."""
    evidence = Evidence(
        pipeline="benchmark",
        batch=f"batch {sequence}",
        sequence=sequence,
        champion=version.name,
        finding=f"{sequence}-{performance.rows}",
        drift=drift,
        performance=performance,
    )
    return decide(evidence, POLICY, history, now)


def arrow(frame: "pd.DataFrame") -> "pa.Table":
    """A frame as the platform stores tables: text in plain strings."""
    import pyarrow as pa

    table = pa.Table.from_pandas(frame, preserve_index=False)
    fields = [pa.field(f.name, pa.string() if pa.types.is_large_string(f.type) else f.type) for f in table.schema]
    return table.cast(pa.schema(fields))
