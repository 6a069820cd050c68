"""Small tables and the problem that is understood from them."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds

from automl_assets.core.values import Problem
from automl_assets.problems.config import ColumnsConfig, ProblemConfig
from automl_assets.problems.detect import detect_problem


def understood(
    table: pa.Table,
    target: str = "y",
    *,
    name: str = "pipeline",
    columns: dict[str, Any] | None = None,
    kept_rule: Any = None,
    **config: Any,
) -> Problem:
    return detect_problem(
        ds.dataset(table),
        name=name,
        target=target,
        columns=ColumnsConfig(**columns or {}),
        config=ProblemConfig(**config),
        kept_rule=kept_rule,
    )


def with_target(values: list | np.ndarray | pa.Array, **others: Any) -> pa.Table:
    """A table with one feature of noise besides."""
    noise = np.random.default_rng(0).normal(size=len(values))
    return pa.table({"x": noise, **others, "y": values})


def failed(problem: Problem) -> set[str]:
    return {check.name for check in problem.checks if not check.passed}
