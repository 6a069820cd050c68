"""The frozen values that stages hand to each other: small, JSON-able, and equal when their contents are.

Tables themselves never travel: a `TableHandle` says where one lies and what it holds.
"""

from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from automl_assets.core.errors import StorageError
from automl_assets.core.fingerprint import digest_of

ColumnType = Literal["integer", "number", "boolean", "datetime", "text"]
Role = Literal[
    "numeric", "categorical", "datetime", "text", "id", "constant", "excluded", "target", "time", "group", "weight"
]
Severity = Literal["info", "warning", "error"]
FEATURE_ROLES: tuple[Role, ...] = ("numeric", "categorical", "datetime", "text")


class Value(BaseModel):
    """A frozen value with a version that depends on nothing but its contents."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")

    kinds: ClassVar[dict[str, type["Value"]]] = {}

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        Value.kinds[cls.__name__] = cls

    def data_version(self) -> str:
        """The digest of the contents: the data version that Dagster shows."""
        return digest_of(self.model_dump(mode="json"))

    def to_document(self) -> dict[str, Any]:
        """A JSON-able object that `value_from_document` turns back into an equal value."""
        return {"kind": type(self).__name__, "value": self.model_dump(mode="json")}


def value_from_document(document: dict[str, Any], *, where: str | None = None) -> Value:
    """The value that `Value.to_document` wrote.

    Raises:
        StorageError: the document's kind or shape is unknown here: it was written by another version.
    """
    kind = Value.kinds.get(document.get("kind", ""))
    if kind is None:
        raise StorageError(
            f"The stored value is of the unknown kind {document.get('kind')!r}.",
            where=where,
            remedy="It was written by another version of automl-assets; run the pipeline with --force.",
        )
    try:
        return kind.model_validate(document.get("value"))
    except ValidationError as error:
        raise StorageError(
            f"The stored {kind.__name__} has another shape than this version's.",
            where=where,
            remedy="It was written by another version of automl-assets; run the pipeline with --force.",
        ) from error


class Column(Value):
    """A column's name and its type, inferred once and enforced afterwards."""

    name: str
    type: ColumnType


class TableHandle(Value):
    """Where a table lies (relative to the table store's root) and what it holds."""

    path: str
    digest: str
    rows: int
    size_bytes: int
    columns: tuple[Column, ...]

    def names(self) -> tuple[str, ...]:
        """The columns' names in order."""
        return tuple(column.name for column in self.columns)


class Finding(Value):
    """Something about a table that a person should know."""

    code: str
    severity: Severity
    column: str | None = None
    count: int = 0
    examples: tuple[str, ...] = ()
    advice: str = ""


class CheckOutcome(Value):
    """The answer of one check: passed or not, whether a failure stops what comes next, and why."""

    name: str
    passed: bool
    blocking: bool
    description: str


class Dialect(Value):
    """How a delimited file is written: sniffed, or stated in the source's options."""

    encoding: str
    separator: str
    quote: str | None
    header: bool
    missing_tokens: tuple[str, ...]


class RawTable(Value):
    """One batch as it arrived, typed; `findings` is what reading it showed."""

    batch: str
    source_digest: str
    table: TableHandle
    dialect: Dialect | None = None
    rejected_path: str | None = None
    findings: tuple[Finding, ...] = ()
    schema_changes: tuple[str, ...] = ()
    schema_breaks: tuple[str, ...] = ()
    checks: tuple[CheckOutcome, ...] = ()


class ColumnProfile(Value):
    """What the quality report says of one column; `missing_share` is between 0 and 1."""

    name: str
    type: ColumnType
    role: str
    missing_share: float
    distinct: int
    minimum: float | None = None
    median: float | None = None
    maximum: float | None = None
    top: tuple[tuple[str, int], ...] = ()
    histogram: tuple[int, ...] = ()


class QualityReport(Value):
    """Components and score from 0 (worst) to 100, and the findings behind them."""

    rows: int
    columns: tuple[ColumnProfile, ...]
    score: float
    components: dict[str, float]
    findings: tuple[Finding, ...]


class Batch(Value):
    """A batch that training may use; `raw_digest` is its raw table's where labels were joined to it."""

    key: str
    table: TableHandle
    raw_digest: str = ""


class TrainingWindow(Value):
    """The batches that training reads, and those left out with the reason."""

    batches: tuple[Batch, ...]
    excluded: tuple[tuple[str, str], ...] = ()
    columns: tuple[Column, ...] = ()
    rows: int = 0

    def data_version(self) -> str:
        """The digest of the batches' content hashes: a batch that is merely renamed changes nothing."""
        return digest_of([batch.table.digest for batch in self.batches])


class HoldoutRule(Value):
    """Which rows are held out, now and in later batches.

    kind "hash": a row is held out when the salted hash of its raw values (`columns`) is below its stratum's cut-off, or
    below the common one where its stratum has none.
    kind "key": the same of its group or id columns, without strata.
    kind "time": a row is held out when its time is at or after `newest_from` (ISO-8601).
    """

    kind: Literal["hash", "key", "time"]
    columns: tuple[str, ...]
    salt: str
    share: float
    target: str
    strata: Literal["class", "quantile"] | None = None
    boundaries: tuple[float, ...] = ()
    cutoffs: dict[str, int] = {}
    default_cutoff: int = 0
    newest_from: str | None = None


class Leak(Value):
    """A column, or the split, that gives the target away; `score` is the probe's strength from 0 to 1."""

    column: str | None
    kind: Literal["predicts_target", "missingness_predicts_target", "ordered_by_target", "duplicates_across_split"]
    score: float
    certain: bool
    reason: str


class Problem(Value):
    """What is predicted from what, how it is judged, and which rows judge it.

    costs: of each true class (rows) and each predicted one, both in the order of `classes`; a gain is negative.
    class_weights: how many times a row of each class counts in a fit. Both are empty where nobody states them.
    """

    kind: str
    metric: str
    target: str
    classes: tuple[str, ...] = ()
    positive_label: str | None = None
    roles: dict[str, Role]
    role_reasons: dict[str, str] = {}
    holdout: HoldoutRule
    train_rows: int
    holdout_rows: int
    dropped_classes: tuple[str, ...] = ()
    costs: tuple[tuple[float, ...], ...] = ()
    class_weights: tuple[float, ...] = ()
    leaks: tuple[Leak, ...] = ()
    findings: tuple[Finding, ...] = ()
    checks: tuple[CheckOutcome, ...] = ()

    def features(self) -> tuple[str, ...]:
        """The columns that a model may use."""
        return tuple(name for name, role in self.roles.items() if role in FEATURE_ROLES)

    def feature_roles(self) -> dict[str, str]:
        """The columns that a model may use and their roles."""
        return {name: self.roles[name] for name in self.features()}

    def column_with(self, role: Role) -> str | None:
        """The first column that has a role, or None."""
        return next((name for name, held in self.roles.items() if held == role), None)

    def columns_with(self, role: Role) -> tuple[str, ...]:
        """All columns that have a role."""
        return tuple(name for name, held in self.roles.items() if held == role)


class PlanStep(Value):
    """One operation on some columns with what its fit learnt (`params`), why, by whom, and how sure."""

    operation: str
    columns: tuple[str, ...]
    params: dict[str, Any]
    reason: str
    author: Literal["local", "agent", "person"] = "local"
    confidence: float = 1.0
    changed: int = 0


class CleaningPlan(Value):
    """An ordered list of fitted operations, replayed the same at training and at scoring."""

    steps: tuple[PlanStep, ...] = ()
    flagged: tuple[PlanStep, ...] = ()


class CleanTable(Value):
    """The training rows after the plan, and what they were made from: all that training needs to know."""

    table: TableHandle
    window: TrainingWindow
    problem: Problem
    plan: CleaningPlan
    dropped_columns: tuple[str, ...] = ()


class Trial(Value):
    """One configuration of one family and its out-of-fold score over the folds that it finished.

    folds: of those that the study compares; bag: of all, each with a model.
    """

    id: str
    family: str
    params: dict[str, Any]
    state: Literal["complete", "pruned", "failed", "partial"]
    score: float | None
    folds: int
    fit_seconds: float
    memory_mb: float
    reason: str = ""
    bag: int = 0


class Study(Value):
    """All trials of one search; `key` names its folder in the study store."""

    key: str
    metric: str
    trials: tuple[Trial, ...]
    folds: int
    seconds: float
    complete: bool
    stopped_because: str


class Member(Value):
    """A family's configuration in the ensemble: its weight and what it costs.

    `fit_seconds` over all folds; `row_ms` for one row; `memory_mb` the peak of its fits; `size_mb` on disk.
    """

    name: str
    family: str
    weight: float
    score: float
    fit_seconds: float
    row_ms: float
    rows_per_second: float
    memory_mb: float
    size_mb: float


class TrainedModel(Value):
    """A model folder (relative to the model store's root), its digest, and how its parts did out of fold.

    calibration_error: the expected one out of fold, without and with the calibration. decision: how labels follow from
    probabilities, in words. interval: "adaptive" or "constant" for numbers.
    """

    path: str
    digest: str
    size_mb: float
    metric: str
    score: float
    members: tuple[Member, ...]
    leaderboard: tuple[Member, ...]
    calibration: str
    seconds: float
    calibration_error: tuple[float, float] | None = None
    decision: str = ""
    interval: str = ""


class Interval(Value):
    """A value with its 95% bootstrap interval."""

    value: float
    low: float
    high: float


class Slice(Value):
    """The metric on the rows that share a value of a column, with its 95% interval; None where it is undefined."""

    column: str
    group: str
    rows: int
    score: float | None
    low: float | None = None
    high: float | None = None


class Money(Value):
    """What the decisions cost on holdout rows by the stated costs, a row (weighted mean), in the costs' unit.

    saved_usual: against naming the most probable class; saved_constant: against always naming `constant`, the single
    class that costs least on the training rows. Times `rows` each is the holdout's total.
    """

    rows: int
    cost: Interval
    usual_cost: float
    constant_cost: float
    constant: str
    saved_usual: Interval
    saved_constant: Interval


class Evaluation(Value):
    """The model and its baselines on the same holdout rows; `gain` is over the linear baseline, positive is better.

    remembered: the folder (relative to the home) with what later batches are compared with.
    """

    metric: str
    higher_is_better: bool
    rows: int
    holdout: Interval
    dummy: float
    linear: float
    gain_over_linear: Interval
    metrics: dict[str, float]
    importances: dict[str, float]
    confusion: tuple[tuple[int, ...], ...] = ()
    roc: tuple[tuple[float, float], ...] = ()
    residual_quantiles: tuple[float, ...] = ()
    slices: tuple[Slice, ...] = ()
    figures: tuple[str, ...] = ()
    remembered: str | None = None
    money: Money | None = None


class Registration(Value):
    """The registered version, and what the gate decided about its alias."""

    name: str
    version: str
    run_id: str
    alias: str | None
    promoted: bool
    reason: str
    url: str | None = None


class Champion(Value):
    """The version that scores now."""

    name: str
    version: str
    run_id: str
    digest: str


class Predictions(Value):
    """A table of predictions, and what the batch lacked or had too much of; `raw_digest`: of the scored table."""

    pipeline: str
    model_version: str
    batch: str
    table: TableHandle
    missing_columns: tuple[str, ...] = ()
    extra_columns: tuple[str, ...] = ()
    unseen: dict[str, int] = {}
    raw_digest: str = ""
