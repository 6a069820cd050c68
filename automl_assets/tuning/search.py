"""The search: carries out what `strategy` decides, fit by fit, until the budget ends."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from automl_assets.core.errors import FitError
from automl_assets.core.files import remove_partials
from automl_assets.core.values import Study
from automl_assets.learn.families import Params, Shape, registry
from automl_assets.learn.runner import Outcome, Runner
from automl_assets.learn.score import metric_named
from automl_assets.tuning.budget import Clock
from automl_assets.tuning.candidates import (
    Candidate,
    is_promising,
    is_surely_worse,
    leader,
    losers,
    usable_folds,
)
from automl_assets.tuning.cost import CostModel
from automl_assets.tuning.first_fold import Blend, FirstFold
from automl_assets.tuning.fits import POLL_SECONDS, Fit, Fits
from automl_assets.tuning.memory import MemoryModel
from automl_assets.tuning.portfolio import entries
from automl_assets.tuning.proposals import Proposals
from automl_assets.tuning.search_settings import SearchProgress, SearchSettings
from automl_assets.tuning.stacking import STACK, guard_arguments, verdict
from automl_assets.tuning.strategy import (
    LEAST_STACKED_ROWS,
    MOST_IN_VAIN,
    STRIKES,
    Move,
    Situation,
    guard_seconds,
    next_move,
)
from automl_assets.tuning.trial_store import FoldResult, TrialStore

SOFT_SHARE, SLACK_SHARE = 0.85, 0.3
LEAST_SLACK_SECONDS, MOST_SLACK_SECONDS = 1.0, 4.0
PATIENT_FACTOR, PATIENT_SECONDS = 20.0, 60.0
FAILED_SECONDS = 0.5


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
        if settings.deterministic:
            store.forget_proposals()
        self._proposals = Proposals(
            store, (*self._families, STACK), shape, self._metric, folds=settings.folds, seed=settings.seed,
            portfolio=self._portfolio,
        )  # fmt: skip
        self._shape = shape
        self._memory = MemoryModel.load(settings.memory_file)
        self._cost = CostModel(settings.threads)
        self._candidates = [] if settings.deterministic else self._proposals.earlier()
        self._fits = Fits(store, runner, in_order=settings.deterministic)
        self._failures: dict[str, int] = dict.fromkeys((*self._families, STACK), 0)
        self._first_fold = FirstFold(store, self._metric)
        self._blend: Blend | None = None
        self._best: Blend | None = None
        self._in_vain = 0
        self._may_stack = settings.stack and self._is_stackable()
        for candidate in self._candidates:
            for result in list(candidate.results.values()):
                self._note(candidate, result)

    def run(self) -> Study:
        """Search until time, the number of trials, or the caller ends it.

        Raises:
            FitError: no family finished a single fold.
        """
        if self._clock.left() <= 0 and not usable_folds(self._candidates):
            self._clock.restart()
        stopped = self._stop_reason()
        while not stopped:
            while len(self._fits) < self._settings.workers and self._start_next():
                pass
            if not len(self._fits):
                stopped = self._why_nothing_starts()
                break
            self._wait()
            stopped = self._stop_reason()
        if self._settings.deterministic and stopped != "interrupted":
            self._finish_running()
        self._cancel_running()
        remove_partials(self._store.folder)
        self._clock.save(at_once=True)
        self._memory.save()
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
        if move is None or self._must_wait_for_memory(move):
            return False
        candidate = move.candidate
        if candidate is None:
            candidate = self._proposals.ask(move.family, move.params)
            candidate.fed = move.feeds
            if self._settings.deterministic:
                candidate.results.clear()  # what an earlier attempt finished counts when its turn comes
            self._candidates.append(candidate)
        self._start(candidate, move)
        return True

    def _must_wait_for_memory(self, move: Move) -> bool:
        """Whether a fit would not fit beside those that run; one that is alone is always tried."""
        if self._settings.deterministic or not len(self._fits):
            return False
        running = sum(self._needed_mb(fit.candidate.family, fit.candidate.params) for fit in self._fits.running)
        params = move.candidate.params if move.candidate else move.params
        wanted = self._needed_mb(move.family, dict(params or registry.get(move.family).defaults(self._shape)))
        return running + wanted > self._settings.memory_mb

    def _needed_mb(self, family: str, params: Params) -> float:
        return self._memory.mb(family, params, self._shape)

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
            may_stack=self._may_stack,
        )

    def _is_stackable(self) -> bool:
        """Whether every row has an out-of-fold prediction, and there are enough of them for a second layer."""
        y, folds, _ = self._store.labels()
        return len(y) >= LEAST_STACKED_ROWS and self._settings.folds > 1 and bool((folds >= 0).all())

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
        by_work = self._settings.deterministic
        seconds = max(0.1, min(self._clock.left(), move.seconds))
        soft = SOFT_SHARE * seconds
        slack = min(MOST_SLACK_SECONDS, max(LEAST_SLACK_SECONDS, SLACK_SHARE * seconds))
        arguments = {
            "seed": self._settings.seed,
            "threads": self._settings.threads,
            "seconds": None if by_work else soft,
            "device": self._settings.device if registry.get(candidate.family).on_gpu else "cpu",
            "trees": self._cost.trees(candidate.family, candidate.params, self._shape, soft / max(1, len(move.folds))),
        }
        if move.guards:
            arguments = guard_arguments(candidate, self._candidates, arguments, self._settings.folds)
        needed = self._needed_mb(candidate.family, candidate.params)
        patient = PATIENT_FACTOR * seconds + PATIENT_SECONDS
        deadline = patient if by_work else min(soft + slack, max(0.1, self._clock.left()))
        self._fits.start(candidate, move, arguments, deadline=deadline, memory_mb=self._memory_mb(needed))

    def _memory_mb(self, needed: float = 0.0) -> float:
        """What one fit may have: its share, or what it is expected to need where that is more and there is room."""
        share = self._settings.memory_mb / self._settings.workers
        return share if self._settings.deterministic else min(self._settings.memory_mb, max(share, needed))

    def _wait(self) -> None:
        timeout = POLL_SECONDS if self._settings.deterministic else min(POLL_SECONDS, max(0.0, self._clock.left()))
        fit = self._fits.next_ended(timeout)
        self._clock.save()
        if fit is not None:
            self._finish(fit)
        self._tell_progress()

    def _finish(self, fit: Fit) -> None:
        candidate, move, outcome = fit.candidate, fit.move, fit.outcome
        assert outcome is not None
        if move.guards:
            self._judge_layer(candidate, outcome, fit.memory_mb)
            return
        before = candidate.seconds
        candidate.memory_mb = max(candidate.memory_mb, outcome.peak_mb)
        if outcome.kind not in ("cancelled", "crashed"):
            complete = outcome.kind == "ok"
            self._memory.observe(candidate.family, candidate.params, self._shape, outcome.peak_mb, complete=complete)
        self._blend = None
        for fold in move.folds:
            result = self._store.result(candidate.id, fold)
            if result is not None and result.score is not None:
                self._note(candidate, result)
        if not self._settings.deterministic:
            candidate.seconds = before + outcome.seconds
        self._clock.charge((candidate.seconds - before) / self._settings.workers)
        for fold in move.folds if fit.is_new else ():
            kind = "ok" if fold in candidate.results else outcome.kind
            self._store.log_fit(
                candidate.id, fold, kind, outcome.message, outcome.seconds / len(move.folds), outcome.peak_mb
            )
        if all(fold in candidate.results for fold in move.folds):
            self._settle(candidate)
        else:
            self._fail(candidate, outcome, fit.memory_mb)

    def _note(self, candidate: Candidate, result: FoldResult) -> None:
        """Learn what a round cost. Where work counts, a fold took the units of its trees, not its seconds."""
        family, params = candidate.family, candidate.params
        if self._settings.deterministic:
            units = self._cost.seconds(family, params, self._shape, trees=result.trees)
            result = replace(result, fit_seconds=units)
            candidate.seconds += units
        else:
            self._cost.observe(family, params, self._shape, result.fit_seconds, trees=result.trees)
        candidate.results[result.fold] = result

    def _fail(self, candidate: Candidate, outcome: Outcome, memory_mb: float) -> None:
        """Close a candidate whose fit failed. A family is out when its defaults fail, or three in a row do.

        Folds that it had finished before stay: a bag of fewer is a model too.
        """
        candidate.reason = _words(outcome, memory_mb)
        candidate.state = "pruned" if candidate.results else "failed"
        self._failures[candidate.family] += STRIKES if candidate.number == 0 and not candidate.results else 1
        self._clock.charge(FAILED_SECONDS)
        self._proposals.tell(candidate)

    def _judge_layer(self, layer: Candidate, outcome: Outcome, memory_mb: float) -> None:
        """Drop a stack layer that wins out of fold and loses on the rows held out, or could not be tried on them."""
        layer.seconds += outcome.seconds
        self._clock.charge(guard_seconds(self._situation(), layer.params) / self._settings.workers)
        self._blend = None
        layer.held, layer.reason = verdict(self._store, self._metric, layer.id)
        if not layer.held:
            layer.reason = layer.reason or f"its guard: {_words(outcome, memory_mb)}"
            self._drop_layer(layer)

    def _drop_layer(self, layer: Candidate) -> None:
        layer.state = "failed"
        self._store.drop_models(layer.id)
        self._proposals.tell(layer)

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
        elif not candidate.running and self._is_hopeless(candidate):
            candidate.state, candidate.reason = "pruned", "others are better on the same folds"
            self._proposals.tell(candidate)
            self._in_vain += not self._untried()

    def _is_hopeless(self, candidate: Candidate) -> bool:
        """Whether more folds of a candidate are not wanted: many are better, or one surely, and no ensemble asks."""
        if not is_promising(candidate, self._candidates, self._metric):
            return True
        best = leader(self._candidates, self._metric)
        return is_surely_worse(candidate, best, self._metric) and not self._ensemble().get(candidate.id)

    def _finish_running(self) -> None:
        """Wait for what was begun: where work counts, when a fit ends on the clock must not matter."""
        while len(self._fits) and not self._should_stop():
            self._wait()

    def _cancel_running(self) -> None:
        """End what still runs when time is up; a fold that made it in the last moment counts.

        Where work counts, it will when its turn comes.
        """
        ended = self._fits.cancel()
        for fit in () if self._settings.deterministic else ended:
            candidate, outcome = fit.candidate, fit.outcome
            made_it = any(self._store.result(candidate.id, fold) for fold in fit.move.folds)
            if outcome is None or (outcome.kind == "cancelled" and candidate.results and not made_it):
                continue
            if outcome.kind == "cancelled" and not made_it:
                candidate.reason = "the time budget ended first"
            else:
                self._finish(fit)

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
        for layer in (c for c in self._candidates if c.family == STACK and c.held is None and c.results):
            layer.reason = "there was no time to see whether it holds on rows held out"
            self._drop_layer(layer)
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
