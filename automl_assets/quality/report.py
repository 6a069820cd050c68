"""The quality report of a table: four components, a score, and the findings behind them, a column in memory at a time.

completeness  100 x (1 - missing cells / all cells)
validity      100 x (1 - invalid cells / filled cells); every cell of a rejected row is invalid
consistency   100 x (1 - inconsistent cells / filled text cells)
uniqueness    100 x (1 - rows that repeat an earlier one / rows)
score         the mean of the four
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from automl_assets.core.tables import column_type, iterate, read
from automl_assets.core.values import CheckOutcome, ColumnProfile, Finding, QualityReport, RawTable
from automl_assets.learn.split import hash_rows
from automl_assets.quality.roles import infer_role, looks_like_id
from automl_assets.quality.rules import ColumnFacts, Violation, registry

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    import pyarrow.dataset as ds

HIDDEN_ROLES = ("id", "text")
MOST_TOP_VALUES = 5
LONGEST_SHOWN = 60
HISTOGRAM_BINS = 20
MOST_REJECTED_SHARE = 0.1


@dataclass
class _Cells:
    """Counts that the components are made of."""

    all: int = 0
    missing: int = 0
    filled: int = 0
    text: int = 0
    bad: dict[str, int] = field(default_factory=dict)


def assess(
    dataset: "ds.Dataset",
    *,
    read_findings: Sequence[Finding] = (),
    private: Sequence[str] = (),
    roles: dict[str, str] | None = None,
) -> QualityReport:
    """Look at every column once.

    Args:
        read_findings: what reading the source showed; rejected rows cost validity.
        private: columns whose values must not be shown.
        roles: roles that are known already.
    """
    cells = _Cells()
    profiles: list[ColumnProfile] = []
    findings: list[Finding] = []
    rows = dataset.count_rows()
    for name in dataset.schema.names:
        facts = _facts(name, read(dataset, [name]).column(0), (roles or {}).get(name))
        hidden = name in private or facts.role in HIDDEN_ROLES
        findings += _check_column(facts, cells, hidden)
        profiles.append(_profile(facts, hidden))
    repeated = _repeated_rows(dataset)
    if repeated:
        advice = "Rows that repeat an earlier one; they stay on one side of the split."
        findings.append(Finding(code="duplicate_rows", severity="info", count=repeated, advice=advice))
    found_here = {(finding.code, finding.column) for finding in findings}
    findings = [finding for finding in read_findings if (finding.code, finding.column) not in found_here] + findings
    rejected = sum(finding.count for finding in read_findings if finding.code == "ragged_rows")
    components = _components(cells, rows, repeated, rejected * len(profiles))
    order = {"error": 0, "warning": 1, "info": 2}
    return QualityReport(
        rows=rows,
        columns=tuple(profiles),
        score=round(sum(components.values()) / len(components), 2),
        components=components,
        findings=tuple(sorted(findings, key=lambda f: (order[f.severity], -f.count))),
    )


def _facts(name: str, column: "pa.ChunkedArray", role: str | None) -> ColumnFacts:
    import pyarrow.compute as pc

    kind = column_type(column.type)
    values = counts = None
    if kind == "text":
        counted = pc.value_counts(column.drop_null())
        values, counts = counted.field("values"), counted.field("counts")
        distinct = len(values)
    else:
        distinct = pc.count_distinct(column, mode="only_valid").as_py()
    if role is None:
        role = "id" if looks_like_id(name, column, distinct) else infer_role(column, distinct)[0]
    return ColumnFacts(name, kind, role, column, column.null_count, distinct, values, counts)


def _check_column(facts: ColumnFacts, cells: _Cells, hidden: bool) -> list[Finding]:
    cells.all += len(facts.column)
    cells.missing += facts.missing
    cells.filled += facts.filled
    cells.text += facts.filled if facts.type == "text" else 0
    found: list[Finding] = []
    for code, rule in registry.all().items():
        violation = rule.check(facts)
        if violation is None:
            continue
        if rule.component is not None:
            cells.bad[rule.component] = cells.bad.get(rule.component, 0) + min(violation.count, facts.filled)
        found.append(_finding(code, facts.name, violation, hidden))
    return found


def _finding(code: str, column: str, violation: Violation, hidden: bool) -> Finding:
    return Finding(
        code=code,
        severity=violation.severity,
        column=column,
        count=violation.count,
        examples=() if hidden else violation.examples,
        advice=violation.advice,
    )


def _components(cells: _Cells, rows: int, repeated: int, rejected_cells: int) -> dict[str, float]:
    def share(bad: int, of: int) -> float:
        return round(100 * (1 - min(bad, of) / of), 2) if of else 100.0

    return {
        "completeness": share(cells.missing, cells.all),
        "validity": share(cells.bad.get("validity", 0) + rejected_cells, cells.filled + rejected_cells),
        "consistency": share(cells.bad.get("consistency", 0), cells.text),
        "uniqueness": share(repeated, rows),
    }


def _repeated_rows(dataset: "ds.Dataset") -> int:
    import numpy as np

    names = dataset.schema.names
    hashes = [hash_rows(batch, names, "rows") for batch in iterate(dataset)]
    if not hashes:
        return 0
    every = np.concatenate(hashes)
    return int(len(every) - len(np.unique(every)))


def _profile(facts: ColumnFacts, hidden: bool) -> ColumnProfile:
    shown = {} if hidden else _distribution(facts)
    return ColumnProfile(
        name=facts.name,
        type=facts.type,
        role=facts.role,
        missing_share=round(facts.missing / len(facts.column), 6) if len(facts.column) else 0.0,
        distinct=facts.distinct,
        **shown,
    )


def _distribution(facts: ColumnFacts) -> dict[str, Any]:
    """Range, median and histogram of numbers; the most frequent values of text."""
    import numpy as np
    import pyarrow.compute as pc

    if facts.values is not None and facts.counts is not None and len(facts.values):
        order = pc.sort_indices(facts.counts, sort_keys=[("", "descending")]).slice(0, MOST_TOP_VALUES)
        values, counts = facts.values.take(order).to_pylist(), facts.counts.take(order).to_pylist()
        return {"top": tuple((value[:LONGEST_SHOWN], count) for value, count in zip(values, counts, strict=True))}
    if facts.type in ("integer", "number") and facts.filled:
        from automl_assets.learn.split import numbers_of

        numbers = numbers_of(facts.column)
        numbers = numbers[np.isfinite(numbers)]
        if len(numbers):
            low, middle, high = float(numbers.min()), float(np.median(numbers)), float(numbers.max())
            return {"minimum": low, "median": middle, "maximum": high, "histogram": _histogram(numbers, low, high)}
    return {}


def _histogram(numbers: "np.ndarray", low: float, high: float) -> tuple[int, ...]:
    """Counts in 20 bins of equal width from `low` to `high`; all in the middle one where these are equal."""
    import numpy as np

    # Shares of the range, halved against overflow: np.histogram fails where bins are narrower than a float's precision.
    width = high / 2 - low / 2
    shares = (numbers / 2 - low / 2) / width if width else np.full(len(numbers), 0.5)
    bins = np.minimum((shares * HISTOGRAM_BINS).astype(np.int64), HISTOGRAM_BINS - 1)
    return tuple(int(n) for n in np.bincount(bins, minlength=HISTOGRAM_BINS))


def batch_checks(raw: RawTable) -> tuple[CheckOutcome, ...]:
    """The checks on one batch as it arrived; a blocking failure quarantines it."""
    rejected = sum(finding.count for finding in raw.findings if finding.code == "ragged_rows")
    share = rejected / (raw.table.rows + rejected)
    return (
        CheckOutcome(
            name="schema_matches",
            passed=not raw.schema_breaks,
            blocking=True,
            description=" ".join(raw.schema_breaks) or "The columns are those that were recorded, or wider.",
        ),
        CheckOutcome(
            name="rows_readable",
            passed=share <= MOST_REJECTED_SHARE,
            blocking=True,
            description=f"{rejected:,} rows ({share:.1%}) did not fit the header and were left out; "
            f"at most {MOST_REJECTED_SHARE:.0%} may.",
        ),
    )


def quarantine_reasons(checks: Sequence[CheckOutcome]) -> list[str]:
    """Why a batch must not be used: its failed blocking checks."""
    return [f"{check.name}: {check.description}" for check in checks if check.blocking and not check.passed]


def score_check(report: QualityReport, least: float) -> CheckOutcome:
    """Whether the quality score is as high as the cleaning section asks."""
    return CheckOutcome(
        name="quality_score",
        passed=report.score >= least,
        blocking=False,
        description=f"The score is {report.score:.1f}; {least:.0f} is asked for.",
    )
