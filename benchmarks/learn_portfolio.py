"""Learns the order of the portfolio: which configurations, tried in which order, help most tables soonest.

    python -m benchmarks.learn_portfolio measure RESULTS [--seconds 40]    fits every configuration on every table
    python -m benchmarks.learn_portfolio keep RESULTS                      those of whole tables into the project
    python -m benchmarks.learn_portfolio order [--write]                   the order, judged on tables left out

`measure` fits each configuration of the pool on fold 0 of at most 8,000 rows of each learning table (one thread, as a
search does it) and appends a line to RESULTS; a repeated run goes on where it stopped. `order` adds, again and again,
the configuration that most lowers the mean over the tables of the least rank of those chosen (Feurer et al. 2022), for
the root of the seconds that it takes: where time is short, one that takes as long as ten others has to bring more. It
prints how well a list does, in so many seconds, on tables left out of the learning, beside the list by hand and random.
`portfolio_results.json` is what `order` reads. None of the tables is one of the ten of `benchmarks.automl`.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean, median
from typing import Any

import numpy as np

from benchmarks.learning_tables import LearningTable, tables
from benchmarks.machine import header, table

DRAWN: Mapping[str, int] = {
    "catboost": 7, "lightgbm": 8, "xgboost": 6, "extra_trees": 4, "network": 6, "svm": 3, "neighbours": 2, "linear": 2,
}  # fmt: skip
DRAWN_FOR = (8_000, 20, 0)
LENGTH = 20
KEPT = Path(__file__).with_name("portfolio_results.json")
BY_HAND: tuple[dict[str, Any], ...] = tuple(json.loads(Path(__file__).with_name("portfolio_by_hand.json").read_text()))
NOT_LEARNT: tuple[dict[str, Any], ...] = (
    {"family": "extra_trees", "params": {"min_samples_leaf": 1}},
    {"family": "svm"},
    {"family": "neighbours"},
    {"family": "lightgbm", "recipe": {"pairs": 10}},
    {"family": "linear", "recipe": {"pairs": 10, "crosses": 5}},
)
SHOWN = (1, 3, 5, 10, 20, 30)
OVERHEAD_SECONDS = 0.1
RANDOM_LISTS = 200
FLOOR = ("linear", "lightgbm")

Losses = dict[str, dict[str, float]]


def main() -> None:
    """Measure, keep, or order."""
    options = _options()
    if options.what == "measure":
        measure(Path(options.results), options.seconds)
    elif options.what == "keep":
        keep(Path(options.results))
    else:
        header("The order of the portfolio", "learn_portfolio", "order")
        order(write=options.write)


def _options() -> Any:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("measure", "keep", "order"))
    parser.add_argument("results", nargs="?", default="portfolio_results.jsonl")
    parser.add_argument("--seconds", type=float, default=40.0, help="the longest that one fit may last")
    parser.add_argument("--write", action="store_true", help="write portfolio.json")
    return parser.parse_args()


# ---- the pool --------------------------------------------------------------------------------------------------


def pool() -> list[dict[str, Any]]:
    """The list by hand, then configurations drawn at random from each family's search space, with a fixed seed."""
    import optuna

    from automl_assets.learn.families import Shape, registry

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    found = [dict(one) for one in BY_HAND]
    shape = Shape(*DRAWN_FOR)
    for position, (family, count) in enumerate(DRAWN.items()):
        study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=position))
        kind = registry.get(family)
        found += [{"family": family, "params": _short(kind.space(study.ask(), shape))} for _ in range(count)]
    return list({_key(one): one for one in found}.values())


def _short(params: Mapping[str, Any]) -> dict[str, Any]:
    """Real numbers to three digits: a configuration that a person can read."""
    return {name: float(f"{value:.3g}") if isinstance(value, float) else value for name, value in params.items()}


def _key(entry: Mapping[str, Any]) -> str:
    return json.dumps(entry, sort_keys=True)


# ---- measuring -------------------------------------------------------------------------------------------------


def measure(results: Path, seconds: float) -> None:
    """Append a line for each configuration and table that RESULTS lacks."""
    done = {(line["table"], _key(line["entry"])) for line in _lines(results)}
    entries = pool()
    for one in tables():
        missing = [entry for entry in entries if (one.name, _key(entry)) not in done]
        if not missing:
            continue
        with tempfile.TemporaryDirectory(prefix="automl-learn-") as scratch:
            study = Path(scratch) / "study"
            shape = prepare(one, study)
            for entry in missing:
                line = {"table": one.name, "entry": entry, **fit(study, entry, shape, seconds)}
                with results.open("a") as file:
                    file.write(json.dumps(line) + "\n")
                print(one.name, entry["family"], line.get("loss"), f"{line['seconds']:.1f} s", flush=True)


def prepare(one: LearningTable, study: Path) -> Any:
    """A study's folder as a search makes it, and the shape of the problem."""
    import pyarrow.dataset as ds

    from automl_assets.cleaning.apply import apply_plan, roles_after
    from automl_assets.cleaning.local import plan_cleaning
    from automl_assets.estimator.data import rows_of
    from automl_assets.estimator.engine import problem_of
    from automl_assets.learn.families import Shape
    from automl_assets.tuning.study_data import study_data
    from automl_assets.tuning.trial_store import TrialStore

    X, y = one.read()
    rows = rows_of(X, y, None, None, kind="regression" if one.is_regression else "classification", name=one.name)
    problem = problem_of(rows)
    plan = plan_cleaning(ds.dataset(rows.table), problem.feature_roles())
    roles = roles_after(plan, problem.feature_roles())
    data, metric = study_data(ds.dataset(apply_plan(plan, rows.table)), problem, roles=roles, seed=0), problem.metric
    TrialStore(study).prepare(
        data.table, y=data.y, folds=data.folds, weight=data.weight, settings=data.settings(metric)
    )
    return Shape(data.table.num_rows, max(1, data.table.num_columns), len(data.classes))


def fit(study: Path, entry: Mapping[str, Any], shape: Any, seconds: float) -> dict[str, Any]:
    """What one configuration loses on fold 0, and the processor seconds it took; without a loss where it failed."""
    from automl_assets.learn.families import registry
    from automl_assets.learn.score import metric_named
    from automl_assets.tuning.fold_fit import fit_folds

    kind = registry.get(entry["family"])
    begun, busy = time.monotonic(), time.process_time()
    if kind.refuses(shape) is not None:
        return {"seconds": 0.0, "why": "refused"}
    params = {**kind.defaults(shape), **entry.get("params", {})}
    with tempfile.TemporaryDirectory(prefix="automl-learn-fit-") as out:
        try:
            told = fit_folds(
                str(study), out, family=entry["family"], params=params, folds=[0], seed=0, threads=1, seconds=seconds,
                device="cpu",
            )[0]  # fmt: skip
        except Exception as error:  # a configuration that fails on a table is a result too
            return {"seconds": time.process_time() - busy, "why": repr(error)[:200]}
    metric = metric_named(json.loads((study / "settings.json").read_text())["metric"])
    loss = None if told["score"] is None else metric.loss(told["score"])
    spent = {"seconds": time.process_time() - busy, "wall": time.monotonic() - begun}
    return {**spent, "loss": loss, "starved": told["starved"]}


def _lines(results: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []


def keep(results: Path) -> None:
    """Write the losses of the tables on which every configuration was tried, four digits each."""
    lines = _lines(results)
    configurations = list({_key(line["entry"]): line["entry"] for line in lines}.values())
    losses: dict[str, dict[str, float | None]] = {}
    spent: dict[str, list[float]] = {}
    for line in lines:
        losses.setdefault(line["table"], {})[_key(line["entry"])] = line.get("loss")
        spent.setdefault(_key(line["entry"]), []).append(line["seconds"])
    whole = {name: of for name, of in losses.items() if len(of) == len(configurations)}
    rows = ",\n".join(
        f"  {json.dumps(name)}: {json.dumps([_short_loss(of[_key(one)]) for one in configurations])}"
        for name, of in whole.items()
    )
    listed = ",\n".join(f"  {json.dumps(one)}" for one in configurations)
    seconds = json.dumps([round(median(spent[_key(one)]), 2) for one in configurations])
    KEPT.write_text(f'{{"configurations": [\n{listed}\n],\n"seconds": {seconds},\n"losses": {{\n{rows}\n}}}}\n')


def _short_loss(loss: float | None) -> float | None:
    return None if loss is None or loss != loss else float(f"{loss:.6g}")


# ---- ordering --------------------------------------------------------------------------------------------------


def order(*, write: bool) -> None:
    """Print what the learnt order is worth on tables left out, and the order itself."""
    from automl_assets.tuning.portfolio import FILE, listed

    kept = json.loads(KEPT.read_text())
    keys = [_key(one) for one in kept["configurations"]]
    ranks = {name: _ranks(dict(zip(keys, map(_known, of), strict=True)), keys) for name, of in kept["losses"].items()}
    seconds = dict(zip(keys, kept["seconds"], strict=True))
    by_hand = [key for one in BY_HAND if (key := _key(one)) in keys]
    print(f"{len(keys)} configurations, {len(ranks)} tables; the mean least rank, 0 for the best of all to 1.\n")
    columns = ["seconds", "learnt on the other tables", "without heed to seconds", "by hand", "at random"]
    table(columns, _standing(ranks, seconds, by_hand))
    chosen = [json.loads(key) for key in greedy(ranks, seconds, LENGTH)]
    chosen += [one for one in NOT_LEARNT if one not in chosen]
    print("\n" + "\n".join(json.dumps(one) for one in chosen))
    if write:
        FILE.write_text("[\n" + ",\n".join(f"  {json.dumps(one)}" for one in chosen) + "\n]\n")
    print(f"\n{'written' if write else 'the same' if list(listed()) == chosen else 'not the same'} as {FILE.name}")


def _known(loss: float | None) -> float:
    return float("inf") if loss is None or loss != loss else loss


def _ranks(losses: Mapping[str, float], keys: Sequence[str]) -> dict[str, float]:
    """Each configuration's rank on one table, from 0 for the best to 1; ties share theirs, failures are last."""
    from scipy.stats import rankdata

    found = rankdata([losses.get(key, float("inf")) for key in keys], method="average")
    return dict(zip(keys, ((found - 1) / max(1, len(keys) - 1)).tolist(), strict=True))


def greedy(ranks: Mapping[str, Mapping[str, float]], seconds: Mapping[str, float], length: int) -> list[str]:
    """The list: the floor first, then always what lowers the mean least rank most for the root of its seconds."""
    keys = list(next(iter(ranks.values())))
    least = dict.fromkeys(ranks, 1.0)
    chosen: list[str] = []
    floor = [next(key for key in keys if json.loads(key) == {"family": name}) for name in FLOOR]

    def gain(key: str) -> tuple[float, float]:
        lowered = mean(least[name] - min(least[name], of[key]) for name, of in ranks.items())
        return round(lowered / (OVERHEAD_SECONDS + seconds[key]) ** 0.5, 9), -mean(of[key] for of in ranks.values())

    while len(chosen) < min(length, len(keys)):
        left = [floor[len(chosen)]] if len(chosen) < len(floor) else [key for key in keys if key not in chosen]
        best = max(left, key=gain)
        chosen.append(best)
        least = {name: min(least[name], of[best]) for name, of in ranks.items()}
    return chosen


def _standing(
    ranks: Mapping[str, Mapping[str, float]], seconds: Mapping[str, float], by_hand: Sequence[str]
) -> list[list[object]]:
    """The mean least rank of what each list has tried after some seconds; a learnt one on tables left out."""
    keys, random = list(next(iter(ranks.values()))), np.random.default_rng(0)
    alike = dict.fromkeys(seconds, 1.0)

    def learnt(cost: Mapping[str, float]) -> dict[str, list[str]]:
        return {name: greedy({n: of for n, of in ranks.items() if n != name}, cost, LENGTH) for name in ranks}

    shuffled = [[keys[i] for i in random.permutation(len(keys))] for _ in range(RANDOM_LISTS)]
    by_cost, by_count = learnt(seconds), learnt(alike)

    def worth(lists: Mapping[str, Sequence[str]], limit: float) -> float:
        return mean(
            min((of[key] for key in _in_time(lists[name], seconds, limit)), default=1.0) for name, of in ranks.items()
        )

    return [
        [
            limit,
            f"{worth(by_cost, limit):.3f}",
            f"{worth(by_count, limit):.3f}",
            f"{worth(dict.fromkeys(ranks, by_hand), limit):.3f}",
            f"{mean(worth(dict.fromkeys(ranks, one), limit) for one in shuffled):.3f}",
        ]
        for limit in SHOWN
    ]


def _in_time(listed: Sequence[str], seconds: Mapping[str, float], limit: float) -> list[str]:
    """The first of a list that take no longer than the limit together."""
    totals = np.cumsum([seconds[key] for key in listed])
    return [key for key, total in zip(listed, totals, strict=True) if total <= limit]


if __name__ == "__main__":
    main()
