"""The worlds of the drift benchmarks hold still, and what is done to them is what their tables say."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.drift_changes import CHANGES
from benchmarks.drift_replays import Found, Life, Quiet, _found_rows, _quiet_rows, wilson
from benchmarks.drift_sources import hours, stamps
from benchmarks.drift_worlds import COLUMNS, TARGET, Season, World, deploy, fit, seasonal, sides

SEASON = Season(100, 6, 2)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A small seasonal world with a logistic model."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    generator = np.random.default_rng(0)
    apart, draw = seasonal(SEASON, generator)
    model = fit(*sides(apart), "roc_auc", make_pipeline(StandardScaler(), LogisticRegression()))
    window = draw(generator, 1_400)
    folder = tmp_path_factory.mktemp("world") / "reference"
    version = deploy("1", folder, model, sides(window.iloc[:1_000]), sides(window.iloc[1_000:]), seed=0)
    return World("small", version, draw)


def test_a_replay_has_thirty_columns_and_as_many_rows_as_asked(world: World) -> None:
    batches = world.batches(np.random.default_rng(1), 150, 2)
    assert [frame.shape for frame, _ in batches] == [(150, COLUMNS)] * 2
    assert all(set(np.unique(y)) == {0, 1} for _, y in batches)


def test_a_seasonal_replay_is_made_of_whole_weeks_in_their_order() -> None:
    _, draw = seasonal(SEASON, np.random.default_rng(0))
    places = draw(np.random.default_rng(3), 1_500).index.to_numpy()
    breaks = np.flatnonzero(np.diff(places) != 1) + 1
    assert all(places[at] % 700 == 0 for at in breaks), "a block begins with a week's first row"
    assert (np.diff(breaks) == 700).all()


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.name)
def test_a_change_touches_what_it_says(world: World, change: object) -> None:
    drift = next(known for known in CHANGES if known is change)
    rows, touched = drift.apply(world, 1, np.random.default_rng(2), 600)
    before = world.draw(np.random.default_rng(5), 2_000)
    assert len(rows) == 600
    if "prior" in drift.name:
        shares = (rows[TARGET].mean(), before[TARGET].mean())
        assert abs(abs(shares[0] - shares[1]) - 0.15) < 0.08
    elif "missing" in drift.name:
        assert all(0.12 < rows[name].isna().mean() < 0.28 for name in touched)
    else:
        moved = {name: abs(rows[name].mean() - before[name].mean()) / before[name].std() for name in touched}
        assert len(touched) == (3 if "three" in drift.name else 1)
        assert all(moved.values())


def test_a_version_judges_and_remembers(world: World) -> None:
    life = Life(world.version, labelled=True)
    for frame, y in world.batches(np.random.default_rng(1), 300, 2):
        _, performance, verdict = life.judge(frame, y)
        assert performance.drop is not None
        assert verdict.measured
    assert [verdict.sequence for verdict in life.verdicts] == [2, 1]


def test_the_tables_say_what_was_missed() -> None:
    quiet = [Quiet("adult_census", 500, True, 3, 1, ("none", "retrain", "none"))]
    assert _quiet_rows(quiet)[0] == [
        "bootstraps", "500", 1, "100.0% [20.7%, 100.0%] (missed)", 3, "33.3% [6.1%, 79.2%] (missed)", "33.3%",
    ]  # fmt: skip
    found = [Found("adult_census", CHANGES[0].name, 1_000, True, True, 2, False)]
    row = _found_rows(found)[0]
    assert row[3:] == [1, "100.0% [20.7%, 100.0%]", "0%", "0.0% [0.0%, 79.3%] (missed)"]


@pytest.mark.parametrize(("hits", "of", "low", "high"), [(0, 100, 0.0, 0.037), (50, 100, 0.404, 0.596), (0, 0, 0, 1)])
def test_wilson(hits: int, of: int, low: float, high: float) -> None:
    assert wilson(hits, of) == pytest.approx((low, high), abs=5e-4)


def test_times_from_several_columns() -> None:
    frame = pd.DataFrame({"y": [2015], "m": ["July"], "d": [3], "h": [5], "date": ["2011-01-02"]})
    assert hours("y", "m", "d", "h")(frame)[0] == pd.Timestamp("2015-07-03 05:00")
    assert stamps("date", "h")(frame)[0] == pd.Timestamp("2011-01-02 05:00")


def test_the_reference_lies_in_the_folder(world: World) -> None:
    assert any(Path(world.version.folder).iterdir())
