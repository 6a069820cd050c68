"""The fits of a search that are under way: started in the runner, and told of when they have ended.

By the clock, in the order in which they end. By work, in the order in which they were started, whatever the machine is
busy with; a fit that an earlier attempt finished ends as it did then, without being repeated.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from automl_assets.learn.families import registry
from automl_assets.learn.runner import Outcome, Runner, Task
from automl_assets.tuning.candidates import Candidate
from automl_assets.tuning.portfolio import without_recipe
from automl_assets.tuning.strategy import Move
from automl_assets.tuning.trial_store import TrialStore

FIT = "automl_assets.tuning.fold_fit:fit_folds"
GUARD = "automl_assets.tuning.stacking:guard"
POLL_SECONDS = 0.25
GRACE_SECONDS = 1.0


@dataclass
class Fit:
    """Some folds of a candidate and the MiB that they may have. Without a task where an earlier attempt finished it."""

    candidate: Candidate
    move: Move
    memory_mb: float = 0.0
    task: Task | None = None
    outcome: Outcome | None = None

    @property
    def is_new(self) -> bool:
        """Whether this attempt ran it, so that its end has to be noted."""
        return self.task is not None


class Fits:
    """What runs. `in_order`: by work instead of by the clock."""

    def __init__(self, store: TrialStore, runner: Runner, *, in_order: bool = False):
        self._store = store
        self._runner = runner
        self._in_order = in_order
        self._running: list[Fit] = []
        self._past = {(entry["trial"], entry["fold"]): entry for entry in store.fits()} if in_order else {}

    def __len__(self) -> int:
        return len(self._running)

    @property
    def running(self) -> tuple[Fit, ...]:
        """The fits under way, the oldest first."""
        return tuple(self._running)

    def start(
        self, candidate: Candidate, move: Move, arguments: Mapping[str, Any], *, deadline: float, memory_mb: float
    ) -> None:
        """Start some folds of a candidate.

        Raises:
            JobError: the runner's process can't be started.
        """
        fit, (params, recipe) = Fit(candidate, move, memory_mb), without_recipe(candidate.params)
        where = {
            "study": str(self._store.folder), "out": str(self._store.trials_folder / candidate.id), "params": params,
        }  # fmt: skip
        folds = [fold for fold in move.folds if not self._is_past(candidate, fold)]
        if move.guards and not self._store.is_guarded(candidate.id):
            fit.task = self._runner.submit(
                GUARD, {**arguments, **where}, deadline_seconds=deadline, memory_mb=memory_mb
            )
        elif folds:
            fit.task = self._runner.submit(
                FIT,
                {**arguments, **where, "family": candidate.family, "folds": folds, "recipe": recipe},
                deadline_seconds=deadline,
                memory_mb=memory_mb,
                spawn=arguments["device"] != "cpu",
                imports=registry.get(candidate.family).packages,
            )
        else:
            fit.outcome = self._as_before(fit)
        candidate.running.update(_marks(move))
        self._running.append(fit)

    def next_ended(self, timeout_seconds: float) -> Fit | None:
        """A fit that has ended, None when none does in time."""
        wait = self._oldest if self._in_order else self._quickest
        fit = wait(timeout_seconds)
        if fit is None:
            return None
        self._running.remove(fit)
        fit.candidate.running.difference_update(_marks(fit.move))
        return fit

    def _oldest(self, timeout_seconds: float) -> Fit | None:
        fit = self._running[0]
        if fit.outcome is None and fit.task is not None:
            fit.outcome = fit.task.wait(timeout_seconds)
        return None if fit.outcome is None else fit

    def _quickest(self, timeout_seconds: float) -> Fit | None:
        known = next((one for one in self._running if one.outcome is not None), None)
        if known is not None:
            return known
        task = self._runner.next_ended(timeout_seconds)
        fit = next((one for one in self._running if one.task is task), None) if task is not None else None
        if fit is not None and task is not None:
            fit.outcome = task.outcome()
        return fit

    def cancel(self) -> list[Fit]:
        """End all that runs: those that made it nonetheless, and those that did not, with their outcomes."""
        ended, self._running = self._running, []
        for fit in ended:
            if fit.task is not None and fit.outcome is None:
                self._runner.cancel(fit.task)
        for fit in ended:
            if fit.task is not None and fit.outcome is None:
                fit.outcome = fit.task.wait(2 * GRACE_SECONDS)
            fit.candidate.running.difference_update(_marks(fit.move))
        return ended

    def _is_past(self, candidate: Candidate, fold: int) -> bool:
        if not self._in_order:
            return False
        return self._store.result(candidate.id, fold) is not None or (candidate.id, fold) in self._past

    def _as_before(self, fit: Fit) -> Outcome:
        """How the fit ended in an earlier attempt: well, unless one of its folds is noted as failed."""
        noted = [self._past[key] for fold in fit.move.folds if (key := (fit.candidate.id, fold)) in self._past]
        bad = next((entry for entry in noted if entry["kind"] != "ok"), None)
        peak = max((entry["peak_mb"] for entry in noted), default=0.0)
        if bad is None:
            return Outcome("ok", None, 0.0, peak, "")
        return Outcome(bad["kind"], None, bad["seconds"], peak, bad["message"])


def _marks(move: Move) -> tuple[int, ...]:
    """What shows that a candidate is busy: its folds, or -1 for a guard."""
    return (-1,) if move.guards else move.folds
