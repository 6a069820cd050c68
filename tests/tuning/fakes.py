"""A runner that fits nothing: a script says how each fit ends, and the fold's files appear at once."""

import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from automl_assets.learn.runner import Outcome, Task

Script = Callable[[str, int, int], "float | Outcome"]


def failed(kind: str = "error", message: str = "it broke") -> Outcome:
    """A fit that ended badly after a second."""
    return Outcome(kind, None, 1.0, 10.0, message)  # type: ignore[arg-type]


class ScriptedRunner:
    """Stands where `Runner` does. `script(family, number, fold)` gives a score, or an outcome that is a failure."""

    def __init__(self, script: Script, *, fit_seconds: float = 1.0):
        self.script = script
        self.fit_seconds = fit_seconds
        self.calls: list[tuple[str, int]] = []
        self.limits: list[tuple[float, float]] = []
        self._ids = itertools.count()
        self._ended: list[Task] = []

    def submit(
        self,
        call: str,
        arguments: Mapping[str, Any],
        *,
        deadline_seconds: float,
        memory_mb: float,
        spawn: bool = False,
        imports: Sequence[str] = (),
    ) -> Task:
        """Write the folds as `fit_folds` would, up to the first that fails."""
        assert call == "automl_assets.tuning.fold_fit:fit_folds"
        out = Path(arguments["out"])
        self.limits.append((deadline_seconds, memory_mb))
        task, outcome = Task(str(next(self._ids))), Outcome("ok", [], self.fit_seconds, 10.0, "")
        for fold in arguments["folds"]:
            self.calls.append((out.name, fold))
            answer = self.script(arguments["family"], int(out.name.rpartition("-")[2]), fold)
            if isinstance(answer, Outcome):
                outcome = answer
                break
            write_fold(out / f"fold_{fold}", answer, self.fit_seconds)
        task.finish(outcome)
        self._ended.append(task)
        return task

    def next_ended(self, timeout_seconds: float) -> Task | None:
        """The oldest that has not been told of."""
        return self._ended.pop(0) if self._ended else None

    def cancel(self, task: Task) -> None:
        """All have ended already."""


def write_fold(folder: Path, score: float, fit_seconds: float = 1.0, predicted: "np.ndarray | None" = None) -> None:
    """A finished fold's folder."""
    (folder / "model").mkdir(parents=True)
    (folder / "model" / "weights.txt").write_text("0")
    np.save(folder / "predicted.npy", np.zeros(1) if predicted is None else predicted)
    meta = {"score": score, "rows": 1, "fit_seconds": fit_seconds, "size_mb": 0.5, "device": "cpu"}
    (folder / "fold.json").write_text(json.dumps(meta))
