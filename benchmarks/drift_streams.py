"""Real streams in time order under three policies: never retrain, retrain at every batch, and the platform's.

The first fifth of the rows (5,000 at least) is the initial window, the rest 50 batches of equal size. One LightGBM with
fixed settings is refitted on four fifths of all labelled rows so far; the others, by the platform's row hash, are the
holdout that its expectations come from. That is the same for all three. The labels of a batch come with the next one.

At a batch's arrival, which is the time of its last row, the platform's functions judge twice: the batch before, whose
labels are there now (drift and measured drop), then the new one (drift and estimate). What they decide is carried out
as the sensor does: at most 3 retrains a day, 6 hours apart, the newest pending one counts, a batch that shows nothing
withdraws it. A retrain takes no time, and its model always replaces the old one: the gate of promotion is left out. A
quarantined batch stays out of the platform's training rows, as long as nobody has accepted it: here for ever.
"""

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Any, Literal

from automl_assets.core.evidence import DriftReport, Verdict
from automl_assets.deciding.decide import History, may_retrain
from benchmarks.deployed import CLASSES, POLICY, Model, Version, arrow, deploy, fit, verdict_on
from benchmarks.drift_sources import DEVELOPMENT, STREAMS, Stream
from benchmarks.machine import header, real_table, table

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

INITIAL_SHARE, LEAST_INITIAL = 0.2, 5_000
BATCHES = 50
HOLDOUT_SHARE = 0.2
SALT = "benchmark"
SETTINGS: dict[str, Any] = {
    "n_estimators": 100, "learning_rate": 0.1, "num_leaves": 31, "min_child_samples": 20, "random_state": 0,
    "n_jobs": 1, "verbosity": -1,
}  # fmt: skip
GAIN_WANTED, RETRAINS_ALLOWED = 0.75, 1 / 3
How = Literal["never", "every batch", "the platform"]
POLICIES: tuple[How, ...] = ("never", "every batch", "the platform")


@dataclass
class Lived:
    """What became of a stream under a policy: each batch's loss and its share of wrong classes, and the retrains."""

    losses: list[float] = field(default_factory=list)
    wrong: list[float] = field(default_factory=list)
    retrains: list[int] = field(default_factory=list)
    why: list[str] = field(default_factory=list)
    actions: list[str] = field(default_factory=list)


def main() -> None:
    """Print a row a stream and policy, then what the platform keeps over the streams."""
    names = sys.argv[1:]
    known = DEVELOPMENT if "development" in names else (*STREAMS, *DEVELOPMENT) if names else STREAMS
    streams = [stream for stream in known if stream.name in names] or known
    header("Streams in time order: mean error and retrains", "drift_streams", " ".join(sys.argv[1:]))
    found: dict[str, dict[str, Lived]] = {}
    rows: list[list[object]] = []
    for stream in streams:
        path = real_table(stream.path)
        if path is not None:
            data = Data(stream, *stream.load(path))
            found[stream.name] = {how: live(data, how) for how in POLICIES}
            rows += [_row(data, how, found[stream.name][how]) for how in POLICIES]
            print(stream.name, *_told(found[stream.name]["the platform"]), sep="\n  ", file=sys.stderr, flush=True)
    table(["stream", "initial", "batch", "policy", "mean error", "wrong classes", "retrains", "actions"], rows)
    if found:
        print("\nOver the streams, each stream's errors divided by never's:\n")
        columns = ["", "every batch", "the platform", f"kept (wanted {GAIN_WANTED:.0%})", "retrains (allowed 33%)"]
        table(columns, [_kept(found)])


class Data:
    """A stream's rows in time order: features, the target as class indices or numbers, times, and who is held out."""

    def __init__(self, stream: Stream, frame: "pd.DataFrame", y: "np.ndarray", times: Sequence[datetime]):
        import pyarrow.dataset as ds

        from automl_assets.learn.split import row_hashes

        self.stream, self.frame, self.y, self.times = stream, frame, y, times
        self.initial = max(LEAST_INITIAL, round(INITIAL_SHARE * len(y)))
        self.size = (len(y) - self.initial) // BATCHES
        whole = frame.assign(**{"the target": y})
        hashes = row_hashes(ds.dataset(arrow(whole)), list(whole.columns), SALT)
        self.held: np.ndarray = hashes < HOLDOUT_SHARE * 2.0**64
        self._models: dict[bytes, Model] = {}

    def batch(self, number: int) -> slice:
        """The rows of a batch, from 0 on."""
        return slice(self.initial + number * self.size, self.initial + (number + 1) * self.size)

    def at(self, number: int) -> datetime:
        """When a batch arrives."""
        return self.times[self.batch(number).stop - 1]

    def rows(self, known: int, without: Sequence[int] = ()) -> "np.ndarray":
        """A mask of the initial rows and of so many batches, without some of them."""
        import numpy as np

        mask = np.arange(len(self.y)) < self.initial + known * self.size
        for number in without:
            mask[self.batch(number)] = False
        return mask

    def part(self, rows: "np.ndarray | slice") -> "tuple[pd.DataFrame, np.ndarray]":
        """Features and target of some rows."""
        return self.frame.loc[rows] if not isinstance(rows, slice) else self.frame.iloc[rows], self.y[rows]

    def model(self, rows: "np.ndarray") -> Model:
        """The model of some rows, their holdout left out; fitted once."""
        import lightgbm

        key = rows.tobytes()
        if key not in self._models:
            kind = lightgbm.LGBMClassifier if CLASSES[self.stream.metric] else lightgbm.LGBMRegressor
            taught = self.part(rows & ~self.held)
            self._models[key] = fit(*taught, self.stream.metric, kind(**SETTINGS))
        return self._models[key]


def live(data: Data, how: How) -> Lived:
    """A stream under a policy."""
    lived = Lived()
    if how == "the platform":
        with tempfile.TemporaryDirectory(prefix="automl-benchmark-") as scratch:
            Platform(data, Path(scratch), lived).live()
        return lived
    model = data.model(data.rows(0))
    for number in range(BATCHES):
        if how == "every batch" and number > 0:
            model = data.model(data.rows(number))
            lived.retrains.append(number)
        _score(data, number, model, lived)
    return lived


def _score(data: Data, number: int, model: Model, lived: Lived) -> "np.ndarray":
    """The predictions of a batch, whose errors are noted."""
    import numpy as np

    from automl_assets.learn.score import metric_named

    frame, y = data.part(data.batch(number))
    predicted = model.predict(frame)
    metric = metric_named(data.stream.metric)
    value = metric(y, predicted)
    if np.isfinite(value):
        lived.losses.append(1 - value if metric.name == "roc_auc" else value)
    if predicted.ndim == 2:
        lived.wrong.append(float((predicted.argmax(axis=1) != y).mean()))
    return predicted


class Platform:
    """The platform's side of a stream: its champion, its verdicts, and its retrains."""

    def __init__(self, data: Data, scratch: Path, lived: Lived):
        self.data, self.scratch, self.lived = data, scratch, lived
        self.verdicts: list[Verdict] = []
        self.started: list[datetime] = []
        self.pending: Verdict | None = None
        self.quarantined: set[int] = set()
        self.version = self._train(0)

    def live(self) -> None:
        """Batch after batch: what the labels of the one before say, then what the new one says."""
        before: tuple[DriftReport, np.ndarray, Version] | None = None
        for number in range(BATCHES):
            now = self.data.at(number)
            if before is not None:
                self._labels(number - 1, *before, now=now)
            self._start(number, now)
            predicted = _score(self.data, number, self.version.model, self.lived)
            drift = self.version.drift(self.data.part(self.data.batch(number))[0], seed=number)
            before = drift, predicted, self.version
            verdict = self._decide(number, drift, self.version.performance(predicted, None, seed=number), now)
            if verdict.action == "quarantine":
                self.quarantined.add(number)
            self._start(number, now)

    def _labels(
        self, number: int, drift: DriftReport, predicted: "np.ndarray", version: Version, *, now: datetime
    ) -> None:
        """Judge a batch again, with its labels; a champion that came since scores it anew."""
        frame, y = self.data.part(self.data.batch(number))
        if version is not self.version:
            predicted, drift = self.version.model.predict(frame), self.version.drift(frame, seed=number)
        self._decide(number, drift, self.version.performance(predicted, y, seed=number), now)

    def _decide(self, number: int, drift: DriftReport, performance: Any, now: datetime) -> Verdict:
        newest_first = sorted(self.verdicts, key=lambda verdict: -verdict.sequence)
        history = History(newest_first, self.started)
        verdict = verdict_on(self.version, number + 1, drift, performance, history, now)
        self.verdicts.insert(0, verdict)
        self.lived.actions.append(verdict.action)
        if verdict.acts and verdict.action == "retrain":
            self.pending = verdict
        elif verdict.action == "none" and not verdict.held:
            self.pending = None
        return verdict

    def _start(self, known: int, now: datetime) -> None:
        """Start the retrain that is pending if it may start, on the batches whose labels are known."""
        if self.pending is None or not may_retrain(POLICY, History(retrains=self.started), now).allowed:
            return
        self.started.append(now)
        self.lived.retrains.append(known)
        self.lived.why.append(f"{known}: {self.pending.reasons[0]}")
        self.pending = None
        self.version = self._train(known)

    def _train(self, known: int) -> Version:
        name = str(len(self.started) + 1)
        rows = self.data.rows(known, [number for number in self.quarantined if number < known])
        model, held = self.data.model(rows), self.data.held
        sides = self.data.part(rows & ~held), self.data.part(rows & held)
        return deploy(name, self.scratch / name, model, *sides, seed=0)


def _row(data: Data, how: str, lived: Lived) -> list[object]:
    wrong = f"{mean(lived.wrong):.4f}" if lived.wrong else "—"
    told = ", ".join(f"{lived.actions.count(action)} {action}" for action in dict.fromkeys(lived.actions))
    error = f"{mean(lived.losses):.4f}"
    return [data.stream.name, f"{data.initial:,}", data.size, how, error, wrong, len(lived.retrains), told or "—"]


def _kept(found: dict[str, dict[str, Lived]]) -> list[object]:
    """The sum of the gains over never; the platform's share of every batch's, and of its retrains."""
    gains = {how: sum(_gain(lived, how) for lived in found.values()) for how in POLICIES}
    retrains = {how: sum(len(lived[how].retrains) for lived in found.values()) for how in POLICIES}
    kept = gains["the platform"] / gains["every batch"]
    share = retrains["the platform"] / retrains["every batch"]
    return [
        "gain over never",
        f"{gains['every batch']:.3f}",
        f"{gains['the platform']:.3f}",
        f"{kept:.0%}" + ("" if kept >= GAIN_WANTED else " (missed)"),
        f"{share:.0%}" + ("" if share <= RETRAINS_ALLOWED else " (missed)"),
    ]


def _gain(lived: dict[str, Lived], how: str) -> float:
    never = mean(lived["never"].losses)
    return (never - mean(lived[how].losses)) / never


def _told(lived: Lived) -> list[str]:
    return [why[:160] for why in lived.why]


if __name__ == "__main__":
    main()
