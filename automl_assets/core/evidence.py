"""What watching a batch shows, as frozen values: drift, performance, and the verdict that follows from both."""

from typing import Literal

from automl_assets.core.values import Interval, Slice, Value

Aspect = Literal[
    "distribution", "missing", "new_categories", "range", "text_length", "vocabulary", "schema", "predictions", "target"
]
Action = Literal["none", "alert", "review", "retrain", "quarantine", "promote", "rollback"]
Severity = Literal["info", "warning", "critical"]


class FeatureDrift(Value):
    """One test of one feature: effect size, p-value, its Benjamini–Hochberg q-value, and the answer.

    allowance: the largest effect between parts of the reference itself, which is still natural. importance: the
    feature's share of the model's importance, 0 to 1. statistics: further measures of the same difference, by name.
    """

    name: str
    test: str
    aspect: Aspect = "distribution"
    effect: float | None
    p_value: float | None
    q_value: float | None
    psi: float | None = None
    allowance: float = 0.0
    importance: float = 0.0
    statistics: dict[str, float] = {}
    drifted: bool
    reason: str


class DomainDrift(Value):
    """How well a cross-fitted classifier tells new rows from old: ROC AUC and the lower bound of its 99% interval."""

    auc: float
    low: float
    p_value: float
    rows: int


class Cause(Value):
    """A feature that explains the difference; `weight` is its share of what drifted, by importance, 0 to 1."""

    feature: str
    aspect: Aspect
    weight: float
    reason: str


class DriftReport(Value):
    """A batch against the champion's training reference."""

    status: Literal["none", "drift", "insufficient_data", "schema_changed"]
    reasons: tuple[str, ...]
    share_drifted: float
    features: tuple[FeatureDrift, ...]
    reference_rows: int
    current_rows: int
    engine: str = "own"
    importance_drifted: float = 0.0
    schema_breaks: tuple[str, ...] = ()
    missing_jumps: tuple[str, ...] = ()
    domain: DomainDrift | None = None
    reconstruction: FeatureDrift | None = None
    causes: tuple[Cause, ...] = ()
    html_path: str | None = None
    html_url: str | None = None
    figure_path: str | None = None


class Drop(Value):
    """By how much a metric worsened (positive is worse, in the metric's units), its standard error, and what is normal.

    The standard error holds the sampling of the reference, of the batch (`sampling`), and the reference's own variation
    over time (`natural`). Two drops from one reference differ by the last two alone.
    """

    value: float
    standard_error: float
    tolerance: float
    sampling: float = 0.0
    natural: float = 0.0

    def certain(self, z: float) -> bool:
        """Whether it exceeds the tolerance and its interval of ±z standard errors excludes zero."""
        return self.value > self.tolerance and self.value - z * self.standard_error > 0.0


class LabelMatch(Value):
    """How labels that came later met the batch's rows."""

    matched: int
    waiting: int
    unknown: int = 0
    duplicates: int = 0
    conflicts: int = 0


class ConceptAlarm(Value):
    """A detector on the stream of the champion's errors; `at_row` is where it first alarmed in this batch."""

    detector: str
    alarmed: bool
    at_row: int | None = None
    reason: str = ""


class RivalScore(Value):
    """Another version on the same labelled rows as the champion; a positive gain says that the rival is better.

    rows: labelled ones; without any the gain says nothing. scored: all rows that the rival could predict, and on which
    share of them (0 to 1) it predicts otherwise than the champion.
    """

    version: str
    role: Literal["previous", "challenger"]
    rows: int
    gain: Interval
    scored: int = 0
    disagreement: float = 0.0


class PerformanceReport(Value):
    """The champion on a batch: measured where there are labels of rows it was not trained on, and estimated."""

    metric: str
    rows: int
    value: Interval | None
    reason: str
    reference: float | None = None
    drop: Drop | None = None
    estimated: Interval | None = None
    estimated_drop: Drop | None = None
    estimate_reason: str = ""
    predictions: FeatureDrift | None = None
    target: FeatureDrift | None = None
    slices: tuple[Slice, ...] = ()
    labels: LabelMatch | None = None
    concept: tuple[ConceptAlarm, ...] = ()
    rivals: tuple[RivalScore, ...] = ()


class Verdict(Value):
    """What monitoring decided about one batch, and why.

    sequence: the batch's place in the order of arrival. finding: the digest of what was decided about. acts: whether
    anything follows; backfills, re-executions and older batches are recorded only. held: why an action waits. What
    follows it is what later verdicts look back at.
    """

    pipeline: str
    batch: str
    sequence: int
    champion: str
    finding: str
    action: Action
    severity: Severity
    reasons: tuple[str, ...]
    causes: tuple[Cause, ...] = ()
    acts: bool = False
    held: str = ""
    measured: bool = False
    drop: Drop | None = None
    estimated_drop: bool = False
    multivariate: bool = False
    alarmed: tuple[str, ...] = ()
    rivals: tuple[RivalScore, ...] = ()
