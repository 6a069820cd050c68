"""What the platform writes down about itself: rows of its database as plain values. Times are aware, in UTC.

Act           a champion moved
LandedBatch   a batch was found; `sequence` is its place in the order of arrival
VerdictRow    what monitoring decided about a batch (core/evidence.py holds the Verdict itself)
Action        something to do or done about it
Notice        a message for people, and whether each channel took it
Quarantined   a batch that waits for a person's answer
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from automl_assets.core.evidence import Severity, Verdict

ActionKind = Literal["retrain", "review", "alert", "quarantine", "promote", "rollback", "drop", "adjust", "scale"]
ActionState = Literal["pending", "requested", "done", "failed", "cancelled"]
BatchState = Literal["landed", "duplicate", "moved", "gone"]
Answer = Literal["waiting", "accepted", "rejected"]
NoticeState = Literal["pending", "sent", "failed", "folded"]


def now() -> datetime:
    """The time of a record, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Act:
    """A champion moved: by whom (a person, or the gate), why, from which version to which."""

    pipeline: str
    what: str
    actor: str
    reason: str
    before: str | None
    after: str | None
    at: datetime

    def same_move_as(self, other: "Act") -> bool:
        """Whether both are the same move, whenever and by whomever."""
        return (self.pipeline, self.what, self.before, self.after) == (
            other.pipeline, other.what, other.before, other.after,
        )  # fmt: skip


@dataclass(frozen=True)
class LandedBatch:
    """A batch of a pipeline. `sequence` grows with arrival and never changes; 0 before it is written down.

    digest: of its raw bytes ("" where it has none: a time window). size in bytes and mtime_ns are the file's when it
    was hashed, so that an unchanged file is not hashed again. same_as: the batch whose content it repeats.
    """

    pipeline: str
    key: str
    digest: str
    size: int = 0
    mtime_ns: int = 0
    state: BatchState = "landed"
    same_as: str | None = None
    sequence: int = 0
    at: datetime = field(default_factory=now)


@dataclass(frozen=True)
class VerdictRow:
    """A verdict and when, in which run, it was written down."""

    verdict: Verdict
    at: datetime
    run_id: str = ""
    id: int = 0


@dataclass(frozen=True)
class Action:
    """Something that a verdict, a person or the platform asks for; `key` is unique, so that it is done once.

    requested_at: when its run was seen. outcome: how it ended, in words. payload: what carrying it out needs.
    """

    pipeline: str
    kind: ActionKind
    key: str
    reason: str
    state: ActionState = "pending"
    finding: str = ""
    run_id: str = ""
    outcome: str = ""
    actor: str = "monitoring"
    payload: Mapping[str, Any] = field(default_factory=dict)
    at: datetime = field(default_factory=now)
    requested_at: datetime | None = None
    done_at: datetime | None = None
    id: int = 0


@dataclass(frozen=True)
class Notice:
    """A message for people. `key` names its cause: an equal one within a day is not sent again.

    delivered: the channels that took it; attempts and next_try: of those that did not.
    """

    pipeline: str
    severity: Severity
    title: str
    body: str
    key: str
    state: NoticeState = "pending"
    attempts: int = 0
    delivered: tuple[str, ...] = ()
    error: str = ""
    at: datetime = field(default_factory=now)
    next_try: datetime | None = None
    id: int = 0


@dataclass(frozen=True)
class Quarantined:
    """A batch (its content's digest) that is left out until a person accepts it; rejected, it stays out."""

    pipeline: str
    batch: str
    digest: str
    reasons: tuple[str, ...]
    answer: Answer = "waiting"
    actor: str = ""
    why: str = ""
    at: datetime = field(default_factory=now)
    answered_at: datetime | None = None
    id: int = 0
