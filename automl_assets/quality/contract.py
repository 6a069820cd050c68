"""Data contracts: what a table must be like, in YAML; suggested from a report, and checked on every batch.

columns:
  age:   {type: integer, minimum: 18, maximum: 99, most_missing: 0.01}
  plan:  {type: text, values: [basic, plus]}
  email: {type: text, unique: true}
rows: {least: 1000}
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import Field, ValidationError

from automl_assets.core.config import Section
from automl_assets.core.errors import ConfigError
from automl_assets.core.tables import column_type, read
from automl_assets.core.values import CheckOutcome, ColumnProfile, ColumnType, QualityReport
from automl_assets.quality.report import LONGEST_SHOWN

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.dataset as ds

SLACK = 0.5
MOST_VALUES = 20
MOST_BREAKS = 8


class ColumnContract(Section):
    """What one column must fulfil; what is not stated is not asked."""

    type: ColumnType | None = None
    required: bool = True
    minimum: float | None = None
    maximum: float | None = None
    most_missing: float | None = Field(default=None, ge=0, le=1, description="The largest share of missing cells.")
    values: list[str] | None = Field(default=None, description="The only values that may stand there.")
    unique: bool = False


class RowsContract(Section):
    """How many rows a batch must have."""

    least: int | None = Field(default=None, ge=0)
    most: int | None = Field(default=None, ge=0)


class Contract(Section):
    """What a table must be like."""

    columns: dict[str, ColumnContract] = {}
    rows: RowsContract = RowsContract()


def read_contract(path: Path) -> Contract:
    """A contract from YAML.

    Raises:
        ConfigError: the file can't be read, or says what no contract can.
    """
    try:
        return Contract.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        told = str(error).splitlines()[0]
        raise ConfigError(
            f"The contract can't be read: {told}.",
            where=str(path),
            remedy="Suggest one with `automl profile --contract`.",
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ConfigError(
            f"The contract says what none can: {place}: {first['msg']}.",
            where=str(path),
            remedy="Suggest one with `automl profile --contract`.",
        ) from error


def suggest_contract(report: QualityReport) -> str:
    """A contract that the profiled table keeps, with slack: a start for a person, not the last word."""
    columns = {profile.name: _suggest(profile, report.rows) for profile in report.columns}
    document = {"columns": columns, "rows": {"least": max(1, int(SLACK * report.rows))}}
    text = _dumped(document, allow_unicode=True)
    if yaml.safe_load(text) != document:  # PyYAML leaves a few control characters bare, which it then reads as spaces
        text = _dumped(document, allow_unicode=False)
    return f"# Suggested from {report.rows:,} rows; edit it, then name it in quality.contract.\n{text}"


def _dumped(document: dict[str, Any], *, allow_unicode: bool) -> str:
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=allow_unicode, default_flow_style=None, width=120)


def _suggest(profile: ColumnProfile, rows: int) -> dict[str, Any]:
    found: dict[str, Any] = {"type": profile.type}
    if profile.minimum is not None and profile.maximum is not None:
        margin = SLACK * (profile.maximum - profile.minimum)
        low, high = profile.minimum - margin, profile.maximum + margin
        found["minimum"] = 0 if profile.minimum >= 0 > low else min(_neat(low), profile.minimum)
        found["maximum"] = max(_neat(high), profile.maximum)
    found["most_missing"] = round(min(1.0, 2 * profile.missing_share + 0.01), 3)
    whole = all(len(value) < LONGEST_SHOWN for value, _ in profile.top)
    if profile.role == "categorical" and whole and 0 < profile.distinct <= min(MOST_VALUES, len(profile.top)):
        found["values"] = sorted(value for value, _ in profile.top)
    if profile.role == "id" and profile.distinct == rows - round(rows * profile.missing_share):
        found["unique"] = True
    return found


def _neat(number: float) -> float:
    return int(number) if float(number).is_integer() else float(f"{number:.4g}")


def check_contract(contract: Contract, dataset: "ds.Dataset") -> CheckOutcome:
    """Whether a batch keeps the contract; values are counted, never shown."""
    rows = dataset.count_rows()
    breaks: list[str] = []
    if contract.rows.least is not None and rows < contract.rows.least:
        breaks.append(f"{rows:,} rows, at least {contract.rows.least:,} are asked for")
    if contract.rows.most is not None and rows > contract.rows.most:
        breaks.append(f"{rows:,} rows, at most {contract.rows.most:,} are allowed")
    for name, wanted in contract.columns.items():
        if name not in dataset.schema.names:
            breaks += [f"{name} is missing"] if wanted.required else []
        else:
            breaks += [f"{name}: {told}" for told in _broken(wanted, read(dataset, [name]).column(0))]
    shown = "; ".join(breaks[:MOST_BREAKS]) + (
        f"; and {len(breaks) - MOST_BREAKS} more" if breaks[MOST_BREAKS:] else ""
    )
    return CheckOutcome(name="contract", passed=not breaks, blocking=True, description=shown or "The contract is kept.")


def _broken(wanted: ColumnContract, column: "pa.ChunkedArray") -> list[str]:
    import pyarrow.compute as pc

    from automl_assets.learn.split import label_texts

    kind = column_type(column.type)
    told: list[str] = []
    if wanted.type is not None and kind != wanted.type and (wanted.type, kind) != ("number", "integer"):
        told.append(f"it holds {kind}, not {wanted.type}")
    share = column.null_count / len(column) if len(column) else 0.0
    if wanted.most_missing is not None and share > wanted.most_missing:
        told.append(f"{share:.1%} missing, at most {wanted.most_missing:.1%} may be")
    if kind in ("integer", "number"):
        finite = column.filter(pc.is_finite(column))
        low, high = (pc.min_max(finite).as_py()[end] for end in ("min", "max"))
        if wanted.minimum is not None and low is not None and low < wanted.minimum:
            told.append(f"values below {wanted.minimum:g}")
        if wanted.maximum is not None and high is not None and high > wanted.maximum:
            told.append(f"values above {wanted.maximum:g}")
    if wanted.values is not None:
        strange = {label for label in label_texts(column.unique()) if label is not None} - set(wanted.values)
        told += [f"{len(strange)} values that are not on the list"] if strange else []
    if wanted.unique and pc.count_distinct(column, mode="only_valid").as_py() < len(column) - column.null_count:
        told.append("values repeat")
    return told
