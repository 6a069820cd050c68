"""The search: every family's defaults first, then Optuna's TPE, fold by fold, until the budget ends.

Order: fold 0 of each family's defaults; from what those cost follows how many folds are affordable (1 to 5); then the
defaults' other folds; then new configurations. Families share the time by rank: the best gets half, the next a
quarter, and so on. A configuration goes on to its next fold only while it is among the eight best on the folds so far.
"""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from automl_assets.core.errors import FitError
from automl_assets.core.files import remove_partials
from automl_assets.core.values import Study
from automl_assets.learn.families import Shape
from automl_assets.learn.runner import Outcome, Runner, Task
from automl_assets.learn.score import metric_named
from automl_assets.tuning.budget import Clock
from automl_assets.tuning.candidates import (
    Candidate,
    is_promising,
    leader,
    losers,
    rank_families,
    usable_folds,
)
from automl_assets.tuning.proposals import Proposals
from automl_assets.tuning.trial_store import TrialStore

SMALL_FIT_CELLS = 2_000_000
FIT_SHARE_OF_BUDGET = 0.25
SHORTEST_FIT_SECONDS = 4.0
SOFT_SHARE = 0.8
SHARE_FOR_DEFAULTS = 0.6
POLL_SECONDS = 0.25
STRIKES = 3
FIT = "automl_assets.tuning.fold_fit:fit_fold"


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
        self._proposals = Proposals(
            store, settings.families, shape, self._metric, folds=settings.folds, seed=settings.seed
        )
        self._candidates = self._proposals.earlier()
        self._folds: int | None = 1 if settings.folds == 1 else None
        self._running: dict[str, tuple[Task, Candidate, int]] = {}
        self._failures: dict[str, int] = dict.fromkeys(settings.families, 0)

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
                stopped = "nothing left to try"
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

    # ---- what to start next ------------------------------------------------------------------------------------

    def _start_next(self) -> bool:
        """Start one fit; False when there is none to start now."""
        self._decide_folds()
        for candidate in self._open():
            fold = candidate.next_fold(self._folds or 1)
            if fold is not None and self._fits_in_time(candidate.family):
                self._start(candidate, fold)
                return True
        family = self._next_family()
        if family is None:
            return False
        candidate = self._proposals.ask(family)
        self._candidates.append(candidate)
        self._start(candidate, 0)
        return True

    def _open(self) -> list[Candidate]:
        return [c for c in self._candidates if c.state == "open" and self._is_alive(c.family)]

    def _is_alive(self, family: str) -> bool:
        return self._failures[family] < STRIKES

    def _next_family(self) -> str | None:
        """A family whose defaults were not tried; else the one with least time for its rank that still ends in time."""
        most = self._settings.max_trials
        if most is not None and len(self._candidates) >= most:
            return None
        tried = {candidate.family for candidate in self._candidates}
        for family in self._settings.families:
            if family not in tried:
                return family
        if self._folds is None:
            return None
        ranked = [f for f in rank_families(self._candidates, self._folds, self._metric) if self._is_alive(f)]
        spent = {f: sum(c.seconds for c in self._candidates if c.family == f) for f in ranked}
        affordable = [f for f in ranked if self._fits_in_time(f)]
        return min(affordable, key=lambda f: spent[f] * 2.0 ** ranked.index(f), default=None)

    def _decide_folds(self) -> None:
        """Once all defaults are under way and one has a fold, choose how many folds the rest of the time pays for."""
        if self._folds is not None or self._next_family_is_untried():
            return
        firsts = [c.results[0].fit_seconds for c in self._candidates if 0 in c.results]
        if not firsts:
            return
        round_seconds = sum(firsts) / self._settings.workers
        affordable = 1 + int(SHARE_FOR_DEFAULTS * max(0.0, self._clock.left()) / max(round_seconds, 1e-3))
        done = usable_folds(self._candidates)
        self._folds = min(self._settings.folds, max(affordable, done, 1))
        for candidate in self._open():
            self._settle(candidate)

    def _next_family_is_untried(self) -> bool:
        tried = {candidate.family for candidate in self._candidates}
        most = self._settings.max_trials
        return len(tried) < len(self._settings.families) and (most is None or len(self._candidates) < most)

    def _fits_in_time(self, family: str) -> bool:
        """Whether a fold of this family, going by its median so far, ends before the budget does."""
        known = [r.fit_seconds for c in self._candidates if c.family == family for r in c.results.values()]
        return not known or median(known) <= self._clock.left()

    # ---- running fits ------------------------------------------------------------------------------------------

    def _start(self, candidate: Candidate, fold: int) -> None:
        share = FIT_SHARE_OF_BUDGET * self._clock.budget_seconds
        seconds = max(0.1, min(self._clock.left(), max(SHORTEST_FIT_SECONDS, share)))
        device = self._settings.device if candidate.family == "xgboost" else "cpu"
        arguments = {
            "study": str(self._store.folder),
            "out": str(self._store.fold_folder(candidate.id, fold)),
            "family": candidate.family,
            "params": candidate.params,
            "fold": fold,
            "seed": self._settings.seed + fold,
            "threads": self._settings.threads,
            "seconds": SOFT_SHARE * seconds,
            "device": device,
        }
        task = self._runner.submit(
            FIT, arguments, deadline_seconds=seconds, memory_mb=self._memory_mb(), spawn=device != "cpu"
        )
        candidate.running.add(fold)
        self._running[task.id] = (task, candidate, fold)

    def _memory_mb(self) -> float:
        return self._settings.memory_mb / self._settings.workers

    def _wait(self) -> None:
        task = self._runner.next_ended(min(POLL_SECONDS, max(0.0, self._clock.left())))
        self._clock.save()
        if task is not None and task.id in self._running:
            _, candidate, fold = self._running.pop(task.id)
            self._finish(candidate, fold, task.outcome())
        self._tell_progress()

    def _finish(self, candidate: Candidate, fold: int, outcome: Outcome) -> None:
        candidate.running.discard(fold)
        candidate.seconds += outcome.seconds
        candidate.memory_mb = max(candidate.memory_mb, outcome.peak_mb)
        self._store.log_fit(candidate.id, fold, outcome.kind, outcome.message, outcome.seconds, outcome.peak_mb)
        result = self._store.result(candidate.id, fold) if outcome.kind == "ok" else None
        if result is not None and result.score is not None:
            candidate.results[fold] = result
            self._settle(candidate)
        else:
            self._fail(candidate, outcome)

    def _fail(self, candidate: Candidate, outcome: Outcome) -> None:
        """Close a candidate whose fit failed. A family is out when its defaults fail, or three in a row do."""
        candidate.state, candidate.reason = "failed", _words(outcome, self._memory_mb())
        self._failures[candidate.family] += STRIKES if candidate.number == 0 and not candidate.results else 1
        self._proposals.tell(candidate)

    def _settle(self, candidate: Candidate) -> None:
        """Close a candidate that has all its folds, or that is no longer among the best."""
        if self._folds is None or candidate.state != "open" or not candidate.results:
            return
        if all(fold in candidate.results for fold in range(self._folds)):
            candidate.state = "complete"
            self._failures[candidate.family] = 0
            self._proposals.tell(candidate)
            for loser in losers(self._candidates, self._folds, self._metric):
                self._store.drop_models(loser.id)
        elif not is_promising(candidate, self._candidates, self._metric):
            candidate.state, candidate.reason = "pruned", "others are better on the same folds"
            self._proposals.tell(candidate)
            self._store.drop_models(candidate.id)

    def _cancel_running(self) -> None:
        """End what still runs when time is up; a fold that made it in the last moment counts."""
        for task, _, _ in self._running.values():
            self._runner.cancel(task)
        for task, candidate, fold in self._running.values():
            outcome = task.wait(POLL_SECONDS * 8)
            if outcome is None or (outcome.kind == "cancelled" and candidate.results):
                continue
            if outcome.kind == "cancelled":
                candidate.reason = "the time budget ended first"
            else:
                self._finish(candidate, fold, outcome)
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
        folds = usable_folds(self._candidates)
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
