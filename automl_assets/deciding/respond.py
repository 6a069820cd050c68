"""What follows from a verdict, as records to write down: pure. The sensor and the CLI carry them out.

quarantine  the batch waits for `automl review`      retrain   a run request, with its reasons as tags
review      a retrain waits for `automl review`      alert     a notice for people
rollback, promote   the alias moves                  adjust    a threshold, within bounds
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from automl_assets.core.evidence import Verdict
from automl_assets.core.fingerprint import digest_of
from automl_assets.core.records import Action, Notice, Quarantined

ADJUST_STEP = 0.05
MOST_ADJUSTED = 2.0  # times what the configuration says
FUTILE_RETRAINS = 2
GROWTH_FOR_WORKERS = 2.0
MOST_REASON_CHARACTERS = 2_000


@dataclass(frozen=True)
class Response:
    """Everything that is written down together with a verdict."""

    actions: tuple[Action, ...] = ()
    notices: tuple[Notice, ...] = ()
    quarantined: tuple[Quarantined, ...] = ()


def respond(verdict: Verdict, *, digest: str, rival: str = "", workers: int | None = None) -> Response:
    """What a verdict asks for; nothing where it does not act.

    Args:
        digest: the batch's content, which a quarantine names.
        rival: the version that a promotion or rollback makes the champion.
        workers: how many fits at a time the retrain should run, None for as many as usual.
    """
    if not verdict.acts or verdict.action == "none":
        return Response()
    reason = "; ".join(verdict.reasons)[:MOST_REASON_CHARACTERS]
    notice = Notice(
        pipeline=verdict.pipeline,
        severity=verdict.severity,
        title=TITLES[verdict.action].format(batch=verdict.batch, rival=rival),
        body=_body(verdict, reason),
        key=_notice_key(verdict),
    )
    if verdict.action == "quarantine":
        waits = Quarantined(verdict.pipeline, verdict.batch, digest, verdict.reasons)
        return Response(notices=(notice,), quarantined=(waits,))
    if verdict.action == "alert":
        return Response(notices=(notice,))
    payload: dict[str, Any] = {"batch": verdict.batch, "champion": verdict.champion, "measured": verdict.measured}
    if rival and verdict.action in ("promote", "rollback", "review"):
        payload["version"] = rival
    if verdict.action == "retrain" and workers is not None:
        payload["workers"] = workers
    action = Action(
        pipeline=verdict.pipeline,
        kind=verdict.action,
        key=f"{verdict.action}-{verdict.finding}",
        reason=reason,
        finding=verdict.finding,
        payload=payload,
    )
    return Response(actions=(action,), notices=(notice,))


TITLES = {
    "alert": "Batch {batch} differs from the training rows",
    "quarantine": "Batch {batch} is in quarantine and waits for an answer: automl review",
    "retrain": "A retrain was requested after batch {batch}",
    "review": "Batch {batch} asks for a decision: automl review",
    "promote": "Version {rival} becomes the champion after its shadow",
    "rollback": "Version {rival} becomes the champion again",
}


def _notice_key(verdict: Verdict) -> str:
    """What makes two messages the same: alerts about the same features of the same champion are told once a day."""
    if verdict.action == "alert":
        about = {"champion": verdict.champion, "alarmed": verdict.alarmed, "severity": verdict.severity}
        return f"alert-{verdict.pipeline}-{digest_of(about)[:24]}"
    return f"{verdict.action}-{verdict.finding}"


def _body(verdict: Verdict, reason: str) -> str:
    causes = ", ".join(f"{cause.feature} ({cause.aspect}, {cause.weight:.0%})" for cause in verdict.causes[:5])
    return "\n".join(
        line
        for line in (
            reason,
            f"Likely causes: {causes}" if causes else "",
            f"Waiting: {verdict.held}" if verdict.held else "",
            f"Champion: version {verdict.champion}. Everything: automl history {verdict.pipeline}",
        )
        if line
    )


def adjustment(share: float, configured: float, outcomes: Sequence[Action]) -> Action | None:
    """A higher importance share where retrains that drift alone asked for found no better model, twice running.

    Args:
        share: the threshold in force; `configured` is what the YAML says.
        outcomes: finished retrains, newest first; ``payload["promoted"]`` says whether a new champion came of it.

    Returns:
        An action that is done by being written down: at most twice what the YAML says, and 1 in any case.
    """
    futile = list(_futile(outcomes))[:FUTILE_RETRAINS]
    most = min(1.0, MOST_ADJUSTED * configured)
    raised = min(most, round(share + ADJUST_STEP, 4))
    if len(futile) < FUTILE_RETRAINS or raised <= share:
        return None
    newest = futile[0]
    return Action(
        pipeline=newest.pipeline,
        kind="adjust",
        key=f"adjust-{newest.key}",
        reason=f"the last {FUTILE_RETRAINS} retrains for drift found no better model: "
        f"importance_share {share:g} → {raised:g} (at most {most:g})",
        state="done",
        finding=newest.finding,
        payload={"threshold": "importance_share", "before": share, "after": raised},
    )


def _futile(outcomes: Sequence[Action]) -> Iterator[Action]:
    """The newest run of retrains in a row that came to nothing."""
    for action in outcomes:
        if action.kind != "retrain" or action.state != "done":
            continue
        if action.payload.get("promoted") is not False or action.payload.get("measured"):
            return
        yield action


def threshold_in_force(configured: float, adjusted: Sequence[Action]) -> float:
    """The importance share after what was adjusted (newest first), within its bounds; a new setting starts afresh."""
    newest = next((action for action in adjusted if action.kind == "adjust"), None)
    if newest is None:
        return configured
    return min(max(configured, float(newest.payload["after"])), 1.0, MOST_ADJUSTED * configured)


def workers_for(rows: int, rows_before: int, cores: int) -> int | None:
    """How many fits at a time: all cores once the window has at least twice the champion's rows, else as usual."""
    if rows_before <= 0 or rows < GROWTH_FOR_WORKERS * rows_before:
        return None
    return max(1, cores)
