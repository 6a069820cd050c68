"""The process's runner: one zygote for all of its runs, started when first needed and ended with the process."""

import atexit
from collections.abc import Mapping
from pathlib import Path
from threading import Lock as ThreadLock

import dagster as dg

from automl_assets.core.memory import usable_cores
from automl_assets.learn.runner import Runner

WORKERS_TAG = "automl/workers"
_lock = ThreadLock()
_shared: Runner | None = None


class FitRunner(dg.ConfigurableResource):
    """Hands out the shared runner."""

    home: str
    max_workers: int | None = None

    def workers(self, tags: Mapping[str, str]) -> int:
        """How many fits at a time: AUTOML_MAX_WORKERS, unless the run's tag asks for more; never more than cores."""
        asked = tags.get(WORKERS_TAG, "")
        return min(usable_cores(), int(asked) if asked.isdigit() and int(asked) else self.max_workers or usable_cores())

    def runner(self) -> Runner:
        """The runner, its zygote starting in the background."""
        return shared_runner(Path(self.home) / "logs" / "fits.log")


def shared_runner(log: Path) -> Runner:
    """This process's runner; its zygote imports a family's packages when it first fits one."""
    global _shared  # noqa: PLW0603 - one zygote a process is the point
    with _lock:
        if _shared is None:
            _shared = Runner(packages=("numpy", "pyarrow.compute"), log=log)
            atexit.register(_shared.close)
        _shared.start()
        return _shared
