"""From evidence to a verdict: a pure function of what a batch showed, of the policy, and of the verdicts before.

The rules, in order; the first that applies decides:

    1  broken schema, or a jump of the missing rate      quarantine, and a person is asked; never a retrain
    2  the version before is better since the promotion  rollback
    3  the metric fell beyond the tolerance, certainly   retrain
    4  it is estimated to have fallen, in 2 windows      retrain
    5  much of the model's importance has drifted and new rows can be told from old, in 2 windows   retrain
    6  the challenger was better in its shadow           promote
    7  anything else that differs                        alert

Only a batch that is newer than the last verdict may act: backfills and re-executions are recorded only. Labels come
later than rows, so "newer" is asked of the arrival and of the labels apart.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from automl_assets.core.evidence import Action, Cause, DriftReport, Drop, PerformanceReport, Severity, Verdict
from automl_assets.deciding.usual import Z_MEASURED, judge_drop
from automl_assets.monitoring.config import MonitoringConfig
from automl_assets.monitoring.judge import STAYS_ON

Z_ESTIMATED = 2.33  # one-sided 1%, and two windows must agree
LEAST_ESTIMATED = 0.5  # of the tolerance must lie below its interval: no label speaks for it
LEAST_MEASURED_ROWS = 200
MOST_REASONS = 12
Track = Literal["arrival", "labels"]


@dataclass(frozen=True)
class Policy:
    """When evidence counts, and how often monitoring may retrain."""

    importance_share: float = 0.3
    domain_auc: float = 0.55
    auto_retrain: bool = True
    max_retrains_per_day: int = 3
    cooldown_hours: float = 6.0


def policy_of(config: MonitoringConfig) -> Policy:
    """The policy that a pipeline's configuration states."""
    return Policy(
        importance_share=config.thresholds.importance_share,
        domain_auc=config.thresholds.domain_auc,
        auto_retrain=config.auto_retrain,
        max_retrains_per_day=config.max_retrains_per_day,
        cooldown_hours=config.cooldown_hours,
    )


@dataclass(frozen=True)
class RivalAdvice:
    """What the comparison with another version asks for, if anything."""

    action: Literal["promote", "rollback", "review"]
    version: str
    reason: str


@dataclass(frozen=True)
class Evidence:
    """Everything that is known of one batch.

    sequence: its place in the order of arrival. finding: the digest of the evidence. replay: a backfill asks.
    accepted: a person has accepted this batch as it is.
    """

    pipeline: str
    batch: str
    sequence: int
    champion: str
    finding: str
    drift: DriftReport
    performance: PerformanceReport | None = None
    rival: RivalAdvice | None = None
    replay: bool = False
    accepted: bool = False


@dataclass(frozen=True)
class History:
    """What happened before: verdicts newest first, the times of monitoring's retrains, and whether one is running.

    The verdicts need not be all: the newest, the newest that labels measured, and the champion's first that they did.
    """

    verdicts: Sequence[Verdict] = ()
    retrains: Sequence[datetime] = ()
    in_flight: bool = False


@dataclass(frozen=True)
class _Finding:
    """One rule that applies."""

    action: Action
    severity: Severity
    track: Track
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Guard:
    """Whether a retrain may start now; `until` is when to look again, None where only an event can tell."""

    allowed: bool
    reason: str = ""
    until: datetime | None = None


def decide(evidence: Evidence, policy: Policy, history: History, now: datetime) -> Verdict:
    """The verdict about one batch."""
    found = list(_findings(evidence, policy, history))
    new = _news(evidence, history)
    acting = [finding for finding in found if new[finding.track] and not evidence.replay]
    chosen = next(iter(acting or found), _Finding("none", "info", "arrival", ("nothing differs that matters",)))
    action, reasons, held = chosen.action, chosen.reasons, ""
    if found and not acting:
        held = "recorded only: " + ("a backfill" if evidence.replay else "a newer batch has been judged already")
    elif action == "retrain" and not policy.auto_retrain:
        action, reasons = "review", (*reasons, "auto_retrain is off: a person decides")
    elif action == "retrain":
        held = may_retrain(policy, history, now).reason
    return Verdict(
        pipeline=evidence.pipeline,
        batch=evidence.batch,
        sequence=evidence.sequence,
        champion=evidence.champion,
        finding=evidence.finding,
        action=action,
        severity=chosen.severity,
        reasons=reasons[:MOST_REASONS],
        causes=_causes(evidence),
        acts=bool(acting),
        held=held,
        measured=_measured(evidence) is not None,
        drop=_measured(evidence),
        estimated_drop=_estimated(evidence, 1.0),
        multivariate=_multivariate(evidence, policy, 1.0),
        alarmed=tuple(sorted({row.name for row in evidence.drift.features if row.drifted})),
        rivals=evidence.performance.rivals if evidence.performance else (),
    )


def may_retrain(policy: Policy, history: History, now: datetime) -> Guard:
    """Whether monitoring may retrain now: one in flight, a cool-down, and so many in any 24 hours."""
    if history.in_flight:
        return Guard(False, "a retrain of this pipeline is running")
    retrains = sorted(history.retrains, reverse=True)
    cooled = retrains[0] + timedelta(hours=policy.cooldown_hours) if retrains else now
    if cooled > now:
        hours = f"{policy.cooldown_hours:g} h"
        return Guard(
            False, f"cooling down for {hours} after the last retrain, until {cooled:%Y-%m-%d %H:%M} UTC", cooled
        )
    today = [then for then in retrains if now - then < timedelta(days=1)]
    if len(today) >= policy.max_retrains_per_day:
        until = today[policy.max_retrains_per_day - 1] + timedelta(days=1) if policy.max_retrains_per_day else None
        return Guard(False, f"{len(today)} retrains in 24 hours, which is the most allowed", until)
    return Guard(True)


def _findings(evidence: Evidence, policy: Policy, history: History) -> Iterator[_Finding]:
    """The rules that apply, in their order."""
    drift = evidence.drift
    broken = () if evidence.accepted else (*drift.schema_breaks, *drift.missing_jumps)
    if broken:
        yield _Finding("quarantine", "critical", "arrival", broken)
    rival = evidence.rival
    if rival is not None and rival.action == "rollback":
        yield _Finding("rollback", "critical", "labels", (rival.reason,))
    drop = _measured(evidence)
    asked = judge_drop(drop, evidence.champion, evidence.sequence, history.verdicts) if drop and not broken else None
    if asked is not None:
        told = f"{_told(evidence, asked.drop, 'measured')}{asked.why}"
        yield _Finding("retrain", "warning", "labels", (told, *drift.reasons))
    if not broken:
        yield from _in_two_windows(evidence, policy, _before(evidence, history))
    if rival is not None and rival.action != "rollback":
        yield _Finding(rival.action, "info" if rival.action == "promote" else "warning", "labels", (rival.reason,))
    general = tuple(_alerts(evidence, policy))
    features = drift.reasons if drift.status in ("drift", "schema_changed") else ()
    if general or features:
        yield _Finding("alert", "warning" if general else "info", "arrival", (*general, *features))


def _in_two_windows(evidence: Evidence, policy: Policy, before: Verdict | None) -> Iterator[_Finding]:
    performance = evidence.performance
    if before is None:
        return
    if before.estimated_drop and _estimated(evidence, STAYS_ON) and performance and performance.estimated_drop:
        told = _told(evidence, performance.estimated_drop, "estimated")
        yield _Finding("retrain", "warning", "arrival", (f"{told}, in two windows", *evidence.drift.reasons))
    if before.multivariate and _multivariate(evidence, policy, STAYS_ON):
        yield _Finding(
            "retrain", "warning", "arrival", (f"{_spread(evidence)}, in two windows", *evidence.drift.reasons)
        )


def _alerts(evidence: Evidence, policy: Policy) -> Iterator[str]:
    """What people are told of the batch as a whole, without anything else following."""
    performance = evidence.performance
    if performance is not None:
        drop = _measured(evidence)
        if drop is not None and drop.certain(Z_MEASURED):
            yield f"{_told(evidence, drop, 'measured')}; a retrain was asked for, the next is when more is labelled"
        if _estimated(evidence, 1.0) and performance.estimated_drop:
            yield f"{_told(evidence, performance.estimated_drop, 'estimated')}; a second window would retrain"
        for row in (performance.predictions, performance.target):
            if row is not None and row.drifted:
                yield f"{row.aspect}: {row.reason}"
        for alarm in performance.concept:
            if alarm.alarmed:
                yield f"concept: {alarm.reason}"
    if _multivariate(evidence, policy, 1.0):
        yield f"{_spread(evidence)}; a second window would retrain"


def _measured(evidence: Evidence) -> Drop | None:
    performance = evidence.performance
    if performance is None or performance.rows < LEAST_MEASURED_ROWS:
        return None
    return performance.drop


def _estimated(evidence: Evidence, share: float) -> bool:
    """Whether the metric is estimated to have fallen; what was measured outweighs an estimate."""
    performance = evidence.performance
    if performance is None or performance.estimated_drop is None or _measured(evidence) is not None:
        return False
    drop = performance.estimated_drop.model_copy(update={"tolerance": share * performance.estimated_drop.tolerance})
    at_least = drop.value - Z_ESTIMATED * drop.standard_error
    return drop.certain(Z_ESTIMATED) and at_least > LEAST_ESTIMATED * drop.tolerance


def _multivariate(evidence: Evidence, policy: Policy, share: float) -> bool:
    """Whether enough of the model's importance drifted, and the rows as a whole can be told apart."""
    drift = evidence.drift
    if drift.domain is None or drift.importance_drifted < share * policy.importance_share:
        return False
    return drift.domain.low > 0.5 + share * (policy.domain_auc - 0.5)


def _spread(evidence: Evidence) -> str:
    domain = evidence.drift.domain
    auc = f", and new rows can be told from old (AUC {domain.auc:.3f}, at least {domain.low:.3f})" if domain else ""
    return f"drifted features carry {evidence.drift.importance_drifted:.0%} of the model's importance{auc}"


def _told(evidence: Evidence, drop: Drop, how: str) -> str:
    metric = evidence.performance.metric if evidence.performance else "the metric"
    margin = 1.96 * drop.standard_error
    return f"{metric} is {how} to be worse by {drop.value:.4g} (± {margin:.2g}; {drop.tolerance:.2g} is tolerated)"


def _before(evidence: Evidence, history: History) -> Verdict | None:
    """The verdict on the batch before this one that was not put aside, if the same champion was judged."""
    earlier = [v for v in history.verdicts if v.sequence < evidence.sequence and v.action != "quarantine"]
    newest = max(earlier, key=lambda verdict: verdict.sequence, default=None)
    return newest if newest is not None and newest.champion == evidence.champion else None


def _news(evidence: Evidence, history: History) -> dict[Track, bool]:
    """Whether the batch is newer than every other that was judged, by arrival and by labels."""
    arrived = max((v.sequence for v in history.verdicts), default=0)
    labelled = max((v.sequence for v in history.verdicts if v.measured), default=0)
    return {"arrival": evidence.sequence > arrived, "labels": evidence.sequence > labelled}


def _causes(evidence: Evidence) -> tuple[Cause, ...]:
    """What explains the difference: the features by weight, then the target."""
    causes = list(evidence.drift.causes)
    target = evidence.performance.target if evidence.performance else None
    if target is not None and target.drifted:
        causes.append(Cause(feature=target.name, aspect="target", weight=1.0, reason=target.reason))
    return tuple(causes)
