"""Runs functions at once, in this process: for fits so short that starting a process would take most of the time."""

import importlib
import json
import time
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from automl_assets.learn.runner import Outcome, Runner, Task


class InlineRunner(Runner):
    """A `Runner` whose `submit` returns a task that has ended already.

    Nothing stops a call: neither deadlines nor memory limits hold, so it is for calls that are known to be small.
    """

    def start(self) -> None:
        """Nothing to start."""

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
        """Make the call and return how it ended. An error of the function is its outcome, as a child's is."""
        task, begun = Task(str(next(self._ids))), time.monotonic()
        module, _, function = call.partition(":")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # as in a child
                value = getattr(importlib.import_module(module), function)(**arguments)
            outcome = Outcome("ok", json.loads(json.dumps(value)), time.monotonic() - begun, 0.0, "")
        except MemoryError as error:
            outcome = Outcome("memory", None, time.monotonic() - begun, 0.0, str(error))
        except Exception as error:  # where a child process would end
            told = f"{type(error).__name__}: {error}"[:2000]
            outcome = Outcome("error", None, time.monotonic() - begun, 0.0, told)
        self._finish(task, outcome)
        return task

    def cancel(self, task: Task) -> None:
        """Nothing to cancel: every task has ended."""

    def close(self) -> None:
        """Nothing to end."""
