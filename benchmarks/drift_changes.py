"""What is done to a world's rows when a drift begins, what it was done to, and which verdicts are right then."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks.deployed import CLASSES
from benchmarks.drift_worlds import TARGET, World

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from automl_assets.core.evidence import PerformanceReport, Verdict

SHIFT = 0.3
PRIOR_POINTS = 0.15
MISSING_POINTS = 0.2
IMPORTANT = 3
LEAST_DISTINCT = 10

Changed = tuple["pd.DataFrame", frozenset[str]]


@dataclass(frozen=True)
class Change:
    """A kind of drift. `apply(world, replay, generator, rows)` gives rows with it, and which columns it touched."""

    name: str
    apply: "Callable[[World, int, np.random.Generator, int], Changed]"
    right: tuple[str, ...]

    def is_for(self, world: World) -> bool:
        """A prior shift needs classes."""
        return self.apply is not prior or CLASSES[world.version.metric]

    def named(self, verdict: "Verdict", performance: "PerformanceReport", touched: frozenset[str]) -> bool:
        """Whether the verdict names what changed; for a prior shift the target or the predictions."""
        if self.apply is not prior:
            return any(cause.feature in touched for cause in verdict.causes)
        seen = performance.predictions is not None and performance.predictions.drifted
        return seen or any(cause.aspect == "target" for cause in verdict.causes)


def important(world: World, generator: "np.random.Generator", *, numeric: bool) -> list[str]:
    """The three most important features, those of numbers with more than ten values where asked."""
    import pandas as pd

    sample = world.draw(generator, 2_000)
    ranked = sorted(world.version.importances, key=lambda name: -world.version.importances[name])
    fits = [n for n in ranked if pd.api.types.is_numeric_dtype(sample[n]) and sample[n].nunique() > LEAST_DISTINCT]
    return (fits if numeric else ranked)[:IMPORTANT]


def shift(world: World, replay: int, generator: "np.random.Generator", rows: int) -> Changed:
    """0.3 standard deviations on the three most important numeric features."""
    names = important(world, generator, numeric=True)
    drawn = world.draw(generator, rows)
    known = world.draw(generator, 5_000)
    return drawn.assign(**{name: drawn[name] + SHIFT * known[name].std() for name in names}), frozenset(names)


def prior(world: World, replay: int, generator: "np.random.Generator", rows: int) -> Changed:
    """Fifteen points more of the rarest class that fifteen more rows in a hundred can be found of; like rows else."""
    import numpy as np

    many = world.draw(generator, 8 * rows)
    labels = many[TARGET].to_numpy()
    classes, counts = np.unique(labels, return_counts=True)
    shares = counts / counts.sum()
    enough = np.flatnonzero(shares + PRIOR_POINTS < 6 * shares)
    grows = classes[enough[np.argmin(shares[enough])]]
    share = float((labels == grows).mean())
    weights = np.where(labels == grows, (share + PRIOR_POINTS) / share, (1 - share - PRIOR_POINTS) / (1 - share))
    chosen = generator.choice(len(many), rows, replace=False, p=weights / weights.sum())
    return many.iloc[np.sort(chosen)], frozenset()


def unit(world: World, replay: int, generator: "np.random.Generator", rows: int) -> Changed:
    """One of the three most important numeric features in hundredths, or in °F instead of °C, in turn."""
    name = important(world, generator, numeric=True)[replay % IMPORTANT]
    drawn = world.draw(generator, rows)
    values = drawn[name] * 100 if replay % 2 else drawn[name] * 1.8 + 32
    return drawn.assign(**{name: values}), frozenset([name])


def missing(world: World, replay: int, generator: "np.random.Generator", rows: int) -> Changed:
    """One of the three most important features lacks in twenty points more of the rows."""
    name = important(world, generator, numeric=False)[replay % IMPORTANT]
    drawn = world.draw(generator, rows)
    known = drawn[name].notna().mean()
    lost: Any = generator.random(rows) < MISSING_POINTS / known
    return drawn.assign(**{name: drawn[name].mask(lost)}), frozenset([name])


CHANGES: Sequence[Change] = (
    Change("0.3 σ on three important features", shift, ("alert", "retrain", "quarantine")),
    Change("prior shift of 15 points", prior, ("alert", "retrain")),
    Change("a swapped unit", unit, ("alert", "retrain", "quarantine")),
    Change("20 points more missing values", missing, ("quarantine",)),
)
