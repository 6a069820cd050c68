"""Worlds in which nothing changes but what is done to them: bootstraps of real tables, and seasonal streams.

The model of a world is fitted on rows that neither the training window nor the batches are drawn from: a bootstrap's
batches would otherwise hold rows that the model learnt from, and hide its losses. Window (16,000 reference and 4,000
holdout rows, or weeks of a stream) and batches are drawn from one and the same population.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.deployed import CLASSES, Version, deploy, fit
from benchmarks.machine import SHARED

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

COLUMNS = 30
WINDOW_ROWS = 20_000
HOLDOUT_SHARE = 0.2
LEAST_OF_A_CLASS = 50
TARGET = "target of the world"

Draw = Callable[["np.random.Generator", int], "pd.DataFrame"]


@dataclass(frozen=True)
class Described:
    """A real table: its target, the metric, and how its values are written."""

    name: str
    target: str
    metric: str
    missing: str | None = None


TABLES = (
    Described("adult_census", "Income", "roc_auc", "?"),
    Described("covertype_sample", "Cover_Type", "log_loss"),
    Described("california_housing", "median_house_value", "rmse"),
)


@dataclass(frozen=True)
class Season:
    """A stream of weeks of seven days; the day is a cycle in half of the columns, so is the week in a third of them."""

    rows_a_day: int
    weeks: int
    window_weeks: int


SEASONS = (Season(500, 40, 12), Season(2_000, 16, 4))


@dataclass(frozen=True)
class World:
    """A deployed version, and more rows as it was trained on: `draw(generator, rows)`, a replay's batches in one go."""

    name: str
    version: Version
    draw: Draw

    def batches(
        self, generator: "np.random.Generator", rows: int, count: int
    ) -> "list[tuple[pd.DataFrame, np.ndarray]]":
        """Features and target of the batches of a replay."""
        drawn = self.draw(generator, rows * count)
        return [sides(drawn.iloc[i * rows : (i + 1) * rows]) for i in range(count)]


def sides(rows: "pd.DataFrame") -> "tuple[pd.DataFrame, np.ndarray]":
    """Features and target."""
    return rows.drop(columns=TARGET), rows[TARGET].to_numpy()


def kinds() -> list[str]:
    """The worlds that can be made here: those of tables that are beside the project, and the seasonal ones."""
    return [t.name for t in TABLES if (SHARED / t.name).exists()] + [_named(season) for season in SEASONS]


def is_seasonal(kind: str) -> bool:
    """Whether a world of this kind has seasons."""
    return kind in map(_named, SEASONS)


def world_of(kind: str, folder: Path, seed: int) -> World:
    """A world with its own window, model and version. The folder takes the reference."""
    import numpy as np

    generator = np.random.default_rng(seed)
    if is_seasonal(kind):
        season = next(season for season in SEASONS if _named(season) == kind)
        metric, apart, draw = "roc_auc", *seasonal(season, generator)
        window = draw(generator, season.window_weeks * 7 * season.rows_a_day)
    else:
        described = next(table for table in TABLES if table.name == kind)
        metric, apart, draw = described.metric, *bootstrapped(described, generator)
        window = draw(generator, WINDOW_ROWS)
    held = generator.random(len(window)) < HOLDOUT_SHARE
    model = fit(*sides(apart), metric, _quick(metric, seed))
    parts = sides(window.loc[~held]), sides(window.loc[held])
    return World(kind, deploy("1", folder, model, *parts, seed=seed), draw)


def bootstrapped(described: Described, generator: "np.random.Generator") -> "tuple[pd.DataFrame, Draw]":
    """A third of the rows for the model, and bootstraps of the others."""
    table = _padded(_read(described), generator)
    table = table.iloc[generator.permutation(len(table))].reset_index(drop=True)
    cut = len(table) // 3
    pool = table.iloc[cut:]

    def draw(generator: "np.random.Generator", rows: int) -> "pd.DataFrame":
        return pool.iloc[generator.integers(0, len(pool), rows)]

    return table.iloc[:cut], draw


def seasonal(season: Season, generator: "np.random.Generator") -> "tuple[pd.DataFrame, Draw]":
    """Some weeks for the model, and block bootstraps of the others: whole weeks, from any row on."""
    import numpy as np

    stream = seasonal_stream(season, generator)
    week = 7 * season.rows_a_day
    mine = season.weeks // 3
    pool = stream.iloc[mine * week :]

    def draw(generator: "np.random.Generator", rows: int) -> "pd.DataFrame":
        start = int(generator.integers(0, week))
        blocks = generator.integers(0, season.weeks - mine, -(-(start + rows) // week))
        taken = (blocks[:, None] * week + np.arange(week)).ravel()[start : start + rows]
        return pool.iloc[taken]

    return stream.iloc[: mine * week], draw


def seasonal_stream(season: Season, generator: "np.random.Generator") -> "pd.DataFrame":
    """24 numbers and 6 columns of labels, with days, weeks and weather (AR(1) over days), and a binary target.

    A cycle's amplitude is between 0.3 and 1 standard deviations of the noise, the weather's standard deviation 0.15.
    """
    import numpy as np
    import pandas as pd

    days = season.weeks * 7
    rows = days * season.rows_a_day
    at = np.arange(rows) / season.rows_a_day
    columns: dict[str, Any] = {}
    total = np.zeros(rows)
    for i in range(COLUMNS):
        level = generator.normal(0, 1, rows) + np.repeat(_weather(days, generator), season.rows_a_day)
        if i % 2 == 0:
            level += generator.uniform(0.3, 1) * np.sin(2 * np.pi * (at + generator.random()))
        if i % 3 == 0:
            level += generator.uniform(0.3, 1) * np.sin(2 * np.pi * (at / 7 + generator.random()))
        total += level * (1.0 if i < 3 else 0.4 if i < 8 else 0.0)
        if i % 5 == 4:
            columns[f"c{i}"] = np.array(["a", "b", "c", "d", "e"])[np.digitize(level, (-1.5, -0.5, 0.5, 1.5))]
        else:
            columns[f"n{i}"] = (level, np.exp(level / 2), np.round(level * 10))[i % 3]
    columns[TARGET] = (total + generator.logistic(0, 1, rows) > 0).astype(int)
    return pd.DataFrame(columns)


def _weather(days: int, generator: "np.random.Generator") -> "np.ndarray":
    import numpy as np

    keeps, deviation = 0.6, 0.15
    steps = generator.normal(0, deviation * (1 - keeps**2) ** 0.5, days)
    found = np.empty(days)
    level = generator.normal(0, deviation)
    for day in range(days):
        level = keeps * level + steps[day]
        found[day] = level
    return found


def _quick(metric: str, seed: int) -> Any:
    """A small LightGBM, its probabilities calibrated by folds."""
    import lightgbm
    from sklearn.calibration import CalibratedClassifierCV

    settings: Mapping[str, Any] = {
        "n_estimators": 50, "learning_rate": 0.1, "num_leaves": 15, "min_child_samples": 40, "random_state": seed,
        "n_jobs": 1, "verbosity": -1,
    }  # fmt: skip
    if not CLASSES[metric]:
        return lightgbm.LGBMRegressor(**settings)
    return CalibratedClassifierCV(lightgbm.LGBMClassifier(**settings), cv=3)


@lru_cache(maxsize=1)
def _read(described: Described) -> "pd.DataFrame":
    """All files of a table, at most 30 columns, the target as class indices or numbers."""
    import numpy as np
    import pandas as pd

    files = sorted((SHARED / described.name).glob("*.csv*"))
    parts = [pd.read_csv(file, skipinitialspace=True, na_values=described.missing) for file in files]
    table = pd.concat(parts, ignore_index=True)
    target = table.pop(described.target)
    table = table.loc[:, table.nunique() > 1].iloc[:, :COLUMNS]
    if not CLASSES[described.metric]:
        return table.assign(**{TARGET: target.astype(float)})
    _, codes, counts = np.unique(target.to_numpy(), return_inverse=True, return_counts=True)
    return table.assign(**{TARGET: codes})[counts[codes] >= LEAST_OF_A_CLASS]


def _padded(table: "pd.DataFrame", generator: "np.random.Generator") -> "pd.DataFrame":
    """Columns that say nothing, up to 30: normal, skewed, counted and labelled ones in turn."""
    import numpy as np

    rows = len(table)
    extra: dict[str, Any] = {}
    for i in range(COLUMNS - (table.shape[1] - 1)):
        values = generator.normal(0, 1, rows)
        labels = np.array(["a", "b", "c", "d", "e", "f"])[np.digitize(values, (-1, -0.5, 0, 0.5, 1))]
        extra[f"padding {i}"] = (values, np.exp(values), np.round(3 * values), labels)[i % 4]
    return table.assign(**extra)


def _named(season: Season) -> str:
    return f"seasons, days of {season.rows_a_day:,} rows"
