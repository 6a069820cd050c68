"""A real table as weeks of rows, and what is done to some of them: the truth that monitoring does not know.

The table is the RAND health insurance experiment (20,190 person-years, bundled with statsmodels): who sees a doctor at
all? Its rows are shuffled, so that weeks differ only by what is done to them here.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

TARGET = "any_visit"
HISTORY_WEEKS = 9
HISTORY_ROWS = 910
WEEK_ROWS = 500
SHIFTED = ("disea", "lpi", "fmde")

Change = Callable[["pd.DataFrame", "np.random.Generator", int], "pd.DataFrame"]


@dataclass(frozen=True)
class Injection:
    """Something that happens to the weeks `first` to `last`, and what the platform should do about it.

    expected: the actions of which one is right, by `deadline` at the latest; `needed` says whether one must come.
    """

    name: str
    first: int
    last: int
    change: Change
    expected: tuple[str, ...]
    deadline: int
    cause: str


def _covariate(rows: "pd.DataFrame", generator: "np.random.Generator", week: int) -> "pd.DataFrame":
    """Half a standard deviation on three important features, from now on: other people are insured."""
    return rows.assign(**{name: rows[name] + 0.5 * rows[name].std() for name in SHIFTED})


def _missing(rows: "pd.DataFrame", generator: "np.random.Generator", week: int) -> "pd.DataFrame":
    """An export that lost 35% of a column."""
    lost = generator.random(len(rows)) < 0.35
    return rows.assign(disea=rows["disea"].mask(lost))


def _unit(rows: "pd.DataFrame", generator: "np.random.Generator", week: int) -> "pd.DataFrame":
    """A column in hundredths instead of units."""
    return rows.assign(lpi=rows["lpi"] * 100)


def _concept(rows: "pd.DataFrame", generator: "np.random.Generator", week: int) -> "pd.DataFrame":
    """From now on the chronically ill are treated elsewhere: what went with a visit now goes with none."""
    turned = (rows["disea"] > rows["disea"].median()) & (generator.random(len(rows)) < 0.8)
    return rows.assign(**{TARGET: rows[TARGET].where(~turned, "no")})


def _prior(rows: "pd.DataFrame", generator: "np.random.Generator", week: int) -> "pd.DataFrame":
    """Fifteen points more visits, the people behind them drawn as before."""
    share = (rows[TARGET] == "yes").mean()
    wanted = min(0.95, share + 0.15)
    weights = (rows[TARGET] == "yes") * (wanted / share) + (rows[TARGET] == "no") * ((1 - wanted) / (1 - share))
    return rows.sample(len(rows), replace=True, weights=weights, random_state=int(generator.integers(1 << 31)))


def _gradual(rows: "pd.DataFrame", generator: "np.random.Generator", week: int) -> "pd.DataFrame":
    """A little more every week."""
    return rows.assign(fmde=rows["fmde"] + 0.2 * (week - 18) * rows["fmde"].std())


INJECTIONS: tuple[Injection, ...] = (
    Injection("covariate shift", 4, 24, _covariate, ("alert", "retrain"), 5, "disea"),
    Injection("missing values", 8, 8, _missing, ("quarantine",), 8, "disea"),
    Injection("unit change", 10, 10, _unit, ("alert", "quarantine", "retrain"), 10, "lpi"),
    Injection("concept drift", 12, 24, _concept, ("retrain",), 13, TARGET),
    Injection("prior shift", 16, 17, _prior, ("alert", "retrain"), 17, TARGET),
    Injection("gradual shift", 19, 24, _gradual, ("alert", "retrain"), 23, "fmde"),
)
WEEKS = max(injection.last for injection in INJECTIONS)


def weeks(
    seed: int = 0, injections: Sequence[Injection] = INJECTIONS
) -> "tuple[list[pd.DataFrame], list[pd.DataFrame]]":
    """The weeks before deployment and those after it."""
    import numpy as np
    import statsmodels.api as sm

    generator = np.random.default_rng(seed)
    loaded: Any = sm.datasets.randhie.load_pandas().data
    table = loaded.assign(**{TARGET: np.where(loaded["mdvis"] > 0, "yes", "no")}).drop(columns="mdvis")
    table = table.iloc[generator.permutation(len(table))].reset_index(drop=True)
    cut = HISTORY_WEEKS * HISTORY_ROWS
    history = [table.iloc[i * HISTORY_ROWS : (i + 1) * HISTORY_ROWS] for i in range(HISTORY_WEEKS)]
    later = []
    for week in range(1, WEEKS + 1):
        start = cut + (week - 1) * WEEK_ROWS
        rows = table.iloc[start : start + WEEK_ROWS]
        for injection in injections:
            if injection.first <= week <= injection.last:
                rows = injection.change(rows.copy(), generator, week)
        later.append(rows)
    return history, later
