"""What part each column plays: what the configuration states, else what its training values look like."""

from typing import TYPE_CHECKING

from automl_assets.core.tables import read
from automl_assets.core.values import Role
from automl_assets.problems.config import ColumnsConfig
from automl_assets.quality.roles import infer_role, looks_like_id

if TYPE_CHECKING:
    import numpy as np
    import pyarrow.dataset as ds


def id_columns(dataset: "ds.Dataset", *, target: str, columns: ColumnsConfig) -> list[str]:
    """The columns that identify rows: stated, or unique and named, numbered or coded like an identifier."""
    return [name for name in dataset.schema.names if name != target and _is_id(dataset, name, columns)]


def _is_id(dataset: "ds.Dataset", name: str, columns: ColumnsConfig) -> bool:
    if name in columns.id or columns.roles.get(name) == "id":
        return True
    return name not in columns.with_a_part() and looks_like_id(name, read(dataset, [name]).column(0))


def assign_roles(
    dataset: "ds.Dataset", *, target: str, columns: ColumnsConfig, ids: list[str], train: "np.ndarray"
) -> tuple[dict[str, Role], dict[str, str]]:
    """Each column's role and the reason, looking at training rows only."""
    roles: dict[str, Role] = {}
    reasons: dict[str, str] = {}
    for name in dataset.schema.names:
        stated = _stated(name, target, columns)
        if stated is not None:
            roles[name], reasons[name] = stated, "stated"
        elif name in ids:
            roles[name], reasons[name] = "id", "unique, and named, numbered or coded like an identifier"
        else:
            roles[name], reasons[name] = infer_role(read(dataset, [name], train).column(0))
    return roles, reasons


def _stated(name: str, target: str, columns: ColumnsConfig) -> Role | None:
    if name == target:
        return "target"
    if name in columns.roles:
        return columns.roles[name]
    if name in columns.exclude:
        return "excluded"
    if name in columns.id:
        return "id"
    special: dict[str | None, Role] = {columns.time: "time", columns.group: "group", columns.weight: "weight"}
    return special.get(name)
