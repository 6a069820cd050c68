"""A family that allocates without end: only a memory limit ends its fits."""

import time
from pathlib import Path
from typing import Any

from automl_assets.learn.families import Family


class Glutton(Family):
    order = 2
    packages = ("benchmarks.planted",)

    @classmethod
    def defaults(cls, shape: Any) -> dict[str, Any]:
        return {"depth": 1}

    @classmethod
    def space(cls, suggest: Any, shape: Any) -> dict[str, Any]:
        return {"depth": suggest.suggest_int("depth", 1, 3)}

    @classmethod
    def fit(cls, params: Any, data: Any, shape: Any, limits: Any) -> Any:
        eaten = []
        while True:
            eaten.append(bytearray(b"x" * (8 << 20)))
            time.sleep(0.01)

    def predict(self, X: Any, *, threads: int = 1) -> Any:
        raise AssertionError("it never got fitted")

    def save(self, folder: Path) -> None:
        raise AssertionError("it never got fitted")

    @classmethod
    def load(cls, folder: Path) -> Any:
        raise AssertionError("it never got fitted")
