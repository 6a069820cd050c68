"""The search: carries out what `strategy` decides, fit by fit, until the budget ends."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from automl_assets.core.errors import FitError
from automl_assets.core.files import remove_partials
from automl_assets.core.values import Study
from automl_assets.learn.families import Shape, boosting_trees, registry
from automl_assets.learn.runner import Outcome, Runner, Task
from automl_assets.learn.score import metric_named
from automl_assets.tuning.budget import Clock
from automl_assets.tuning.candidates import Candidate, is_promising, leader, losers, usable_folds
from automl_assets.tuning.cost import CostModel
from automl_assets.tuning.first_fold import Blend, FirstFold
from automl_assets.tuning.portfolio import entries
from automl_assets.tuning.proposals import Proposals
from automl_assets.tuning.strategy import MOST_IN_VAIN, STRIKES, Move, Situation, next_move
from automl_assets.tuning.trial_store import FoldResult, TrialStore

SMALL_FIT_CELLS = 2_000_000
SOFT_SHARE, SLACK_SHARE = 0.85, 0.3
LEAST_SLACK_SECONDS, MOST_SLACK_SECONDS = 1.0, 4.0
POLL_SECONDS = 0.25
GRACE_SECONDS = 1.0
FIT = "automl_assets.tuning.fold_fit:fit_folds"


@dataclass(frozen=True)
class SearchSettings:
    """What a search may use. `workers` fits run at once, each with `threads`; `memory_mb` is for all together."""

    families: tuple[str, ...]
    folds: int
    seed: int
    workers: int
    threads: int
    memory_mb: float
    max_trials: int | None = None
    device: str = "cpu"


@dataclass(frozen=True)
class SearchProgress:
    """How far a search is: what a progress display shows."""

    trials: int
    best_score: float | None
    best_family: str | None
    seconds_left: float


class Search:
    """One search over one store. After a kill, a new one over the same store goes on: no finished fold is repeated."""

    def __init__(
        self,
        store: TrialStore,
        runner: Runner,
        clock: Clock,
        settings: SearchSettings,
        *,
        shape: Shape,
        report: Callable[[SearchProgress], None] = lambda _: None,
        should_stop: Callable[[], bool] = lambda: False,
    ):
        self._store = store
        self._runner = runner
        self._clock = clock
        self._settings = settings
        self._report = report
        self._should_stop = should_stop
        self._metric = metric_named(store.settings()["metric"])
        able = tuple(f for f in settings.families if registry.get(f).refuses(shape) is None)
        self._families = able or settings.families
        self._portfolio = entries(shape, self._families)
        self._proposals = Proposals(
            store, self._families, shape, self._metric, folds=settings.folds, seed=settings.seed,
            portfolio=self._portfolio,
        )  # fmt: skip
        self._shape = shape
        self._cost = CostModel(settings.threads)
        self._candidates = self._proposals.earlier()
        self._running: dict[str, tuple[Task, Candidate, Move]] = {}
        self._failures: dict[str, int] = dict.fromkeys(self._families, 0)
        self._first_fold = FirstFold(store, self._metric)
        self._blend: Blend | None = None
        self._best: Blend | None = None
        self._in_vain = 0
        for candidate in self._candidates:
            for result in candidate.results.values():
                self._learn_cost(candidate, result)

    def run(self) -> Study:
        """Search until time, the number of trials, or the caller ends it.

        Raises:
            FitError: no family finished a single fold.
        """
        if self._clock.left() <= 0 and not usable_folds(self._candidates):
            self._clock.restart()
        stopped = self._stop_reason()
        while not stopped:
            while len(self._running) < self._settings.workers and self._start_next():
                pass
            if not self._running:
                stopped = self._why_nothing_starts()
                break
            self._wait()
            stopped = self._stop_reason()
        self._cancel_running()
        remove_partials(self._store.folder)
        self._clock.save(at_once=True)
        return self._study(stopped)

    def _stop_reason(self) -> str:
        if self._should_stop():
            return "interrupted"
        return "time" if self._clock.left() <= 0 else ""

    def _why_nothing_starts(self) -> str:
        situation = self._situation()
        if not situation.may_ask():
            return "nothing left to try"
        return "more would not pay" if situation.in_vain >= MOST_IN_VAIN else "time"

    # ---- what to start next ------------------------------------------------------------------------------------

    def _start_next(self) -> bool:
        """Start one fit; False when there is none to start now."""
        move = next_move(self._situation())
        if move is None:
            return False
        candidate = move.candidate
        if candidate is None:
            candidate = self._proposals.ask(move.family, move.params)
            candidate.fed = move.feeds
            self._candidates.append(candidate)
        self._start(candidate, move)
        return True

    def _situation(self) -> Situation:
        return Situation(
            candidates=self._candidates,
            portfolio=self._portfolio,
            cost=self._cost,
            shape=self._shape,
            folds=self._settings.folds,
            workers=self._settings.workers,
            budget_seconds=self._clock.budget_seconds,
            seconds_left=self._clock.left(),
            metric=self._metric,
            max_trials=self._settings.max_trials,
            weights=self._ensemble,
            failures=self._failures,
            in_vain=self._in_vain,
        )

    def _untried(self) -> bool:
        """Whether part of the portfolio was not begun."""
        return len(self._candidates) < len(self._portfolio)

    def _ensemble(self) -> Mapping[str, float]:
        """The weights of the candidates in an ensemble that is judged on fold 0."""
        if self._blend is None:
            self._blend = self._first_fold.blend(self._candidates)
            if not self._untried():
                self._judge_gain(self._blend)
        return self._blend.weights

    def _judge_gain(self, blend: Blend) -> None:
        """Count the looks since the ensemble last got surely better."""
        if self._best is not None and not self._first_fold.is_better(blend, self._best):
            self._in_vain += 1
            return
        self._best, self._in_vain = blend, 0

    # ---- running fits ------------------------------------------------------------------------------------------

    def _start(self, candidate: Candidate, move: Move) -> None:
        seconds = max(0.1, min(self._clock.left(), move.seconds))
        device = self._settings.device if registry.get(candidate.family).on_gpu else "cpu"
        arguments = {
            "study": str(self._store.folder),
            "out": str(self._store.trials_folder / candidate.id),
            "family": candidate.family,
            "params": candidate.params,
            "folds": list(move.folds),
            "seed": self._settings.seed,
            "threads": self._settings.threads,
            "seconds": SOFT_SHARE * seconds,
            "device": device,
            "trees": self._trees(candidate, SOFT_SHARE * seconds / len(move.folds)),
        }
        slack = min(MOST_SLACK_SECONDS, max(LEAST_SLACK_SECONDS, SLACK_SHARE * seconds))
        deadline = min(SOFT_SHARE * seconds + slack, max(0.1, self._clock.left()))
        task = self._runner.submit(
            FIT,
            arguments,
            deadline_seconds=deadline,
            memory_mb=self._memory_mb(),
            spawn=device != "cpu",
            imports=registry.get(candidate.family).packages,
        )
        candidate.running.update(move.folds)
        self._running[task.id] = (task, candidate, move)

    def _trees(self, candidate: Candidate, seconds: float) -> int | None:
        """How many trees a booster has time for; None where it has more than it will want."""
        rate = candidate.params.get("learning_rate")
        if rate is None:
            return None
        predicted = self._cost.seconds(candidate.family, candidate.params, self._shape)
        trees = boosting_trees(rate) * seconds / predicted
        return max(10, math.ceil(trees)) if math.isfinite(trees) else None

    def _memory_mb(self) -> float:
        return self._settings.memory_mb / self._settings.workers

    def _wait(self) -> None:
        task = self._runner.next_ended(min(POLL_SECONDS, max(0.0, self._clock.left())))
        self._clock.save()
        if task is not None and task.id in self._running:
            _, candidate, move = self._running.pop(task.id)
            self._finish(candidate, move, task.outcome())
        self._tell_progress()

    def _finish(self, candidate: Candidate, move: Move, outcome: Outcome) -> None:
        candidate.running.difference_update(move.folds)
        candidate.seconds += outcome.seconds
        candidate.memory_mb = max(candidate.memory_mb, outcome.peak_mb)
        self._blend = None
        for fold in move.folds:
            result = self._store.result(candidate.id, fold)
            if result is not None and result.score is not None:
                candidate.results[fold] = result
                self._learn_cost(candidate, result)
        for fold in move.folds:
            kind = "ok" if fold in candidate.results else outcome.kind
            self._store.log_fit(
                candidate.id, fold, kind, outcome.message, outcome.seconds / len(move.folds), outcome.peak_mb
            )
        if all(fold in candidate.results for fold in move.folds):
            self._settle(candidate)
        else:
            self._fail(candidate, outcome)

    def _learn_cost(self, candidate: Candidate, result: FoldResult) -> None:
        """What a round cost, as a whole fit of the usual length would have."""
        rate, seconds = candidate.params.get("learning_rate"), result.fit_seconds
        if rate is not None and result.trees:
            seconds *= boosting_trees(rate) / max(result.trees, 1)
        self._cost.observe(candidate.family, candidate.params, self._shape, seconds, complete=True)

    def _fail(self, candidate: Candidate, outcome: Outcome) -> None:
        """Close a candidate whose fit failed. A family is out when its defaults fail, or three in a row do.

        Folds that it had finished before stay: a bag of fewer is a model too.
        """
        candidate.reason = _words(outcome, self._memory_mb())
        candidate.state = "pruned" if candidate.results else "failed"
        self._failures[candidate.family] += STRIKES if candidate.number == 0 and not candidate.results else 1
        self._proposals.tell(candidate)

    def _settle(self, candidate: Candidate) -> None:
        """Close a candidate that has all its folds, or that is no longer among the best."""
        if candidate.state != "open" or not candidate.results:
            return
        if all(fold in candidate.results for fold in range(self._settings.folds)):
            candidate.state = "complete"
            self._failures[candidate.family] = 0
            self._proposals.tell(candidate)
            self._ensemble()
            for loser in losers(self._candidates, self._settings.folds, self._metric):
                self._store.drop_models(loser.id)
        elif not candidate.running and not is_promising(candidate, self._candidates, self._metric):
            candidate.state, candidate.reason = "pruned", "others are better on the same folds"
            self._proposals.tell(candidate)
            self._in_vain += not self._untried()

    def _cancel_running(self) -> None:
        """End what still runs when time is up; a fold that made it in the last moment counts."""
        for task, _, _ in self._running.values():
            self._runner.cancel(task)
        for task, candidate, move in self._running.values():
            outcome = task.wait(GRACE_SECONDS * 2)
            made_it = any(self._store.result(candidate.id, fold) for fold in move.folds)
            if outcome is None or (outcome.kind == "cancelled" and candidate.results and not made_it):
                continue
            if outcome.kind == "cancelled" and not made_it:
                candidate.reason = "the time budget ended first"
            else:
                self._finish(candidate, move, outcome)
        self._running.clear()

    # ---- the result --------------------------------------------------------------------------------------------

    def _tell_progress(self) -> None:
        best = leader(self._candidates, self._metric)
        self._report(
            SearchProgress(
                trials=sum(bool(candidate.results) for candidate in self._candidates),
                best_score=best.mean(best.done()) if best else None,
                best_family=best.family if best else None,
                seconds_left=max(0.0, self._clock.left()),
            )
        )

    def _study(self, stopped: str) -> Study:
        folds = self._first_fold.compared_folds(self._candidates, self._settings.folds)
        if not folds:
            raise _nothing_fitted(self._candidates, self._clock.budget_seconds)
        return Study(
            key=self._store.folder.name,
            metric=self._metric.name,
            trials=tuple(candidate.as_trial(folds) for candidate in self._candidates),
            folds=folds,
            seconds=round(self._clock.spent(), 3),
            complete=stopped != "interrupted",
            stopped_because=stopped,
        )


def _words(outcome: Outcome, memory_mb: float) -> str:
    if outcome.kind == "timeout":
        return f"stopped after {outcome.seconds:.1f} s, its deadline"
    if outcome.kind == "memory":
        return f"stopped at {outcome.peak_mb:,.0f} MiB; it may have {memory_mb:,.0f}"
    return outcome.message or ("its score is undefined" if outcome.kind == "ok" else outcome.kind)


def _nothing_fitted(candidates: list[Candidate], budget_seconds: float) -> FitError:
    reasons = "; ".join(f"{c.family}: {c.reason}" for c in candidates if c.reason)[:600]
    return FitError(
        f"No family finished a fit within {budget_seconds:.0f} s. {reasons}".rstrip(),
        remedy="Raise tuning.time_budget_seconds, or name quicker families, such as [linear, lightgbm].",
    )


def workers_and_threads(cells: int, cores: int) -> tuple[int, int]:
    """How many fits at once and the threads of each: single-threaded side by side while the table is small."""
    return (cores, 1) if cells <= SMALL_FIT_CELLS else (1, cores)
