"""What a verdict is about, and what of other versions and of earlier verdicts it changes: pure."""

from collections.abc import Iterator, Sequence

from automl_assets.core.evidence import DriftReport, PerformanceReport, Verdict
from automl_assets.core.fingerprint import digest_of
from automl_assets.core.records import Action
from automl_assets.core.values import Champion, RawTable
from automl_assets.deciding.decide import Evidence, RivalAdvice
from automl_assets.registration.rivals import RivalDecision


def finding_of(
    pipeline: str, raw: RawTable, champion: Champion, drift: DriftReport, performance: PerformanceReport
) -> str:
    """What a verdict is about: this content, this champion, this evidence. Re-executions find the same.

    Where pages lie is no evidence: one is drawn with drift, or once a day. Nor are labels that are of other batches.
    """
    seen = drift.model_copy(update=dict.fromkeys(("html_path", "html_url", "figure_path")))
    matched = performance.labels.model_copy(update={"unknown": 0}) if performance.labels else None
    return digest_of(
        {
            "pipeline": pipeline,
            "batch": raw.batch,
            "content": raw.table.digest,
            "champion": champion.version,
            "drift": seen.data_version(),
            "performance": performance.model_copy(update={"labels": matched}).data_version(),
        }
    )


def advice_of(rival: RivalDecision) -> RivalAdvice | None:
    """What of a comparison a verdict may follow; a challenger that did no better is dropped beside it."""
    if rival.version is None or rival.action in ("wait", "drop"):
        return None
    return RivalAdvice(rival.action, rival.version, rival.reason)


def dropped(evidence: Evidence, rival: RivalDecision, past: Sequence[Verdict]) -> Iterator[Action]:
    """The end of a challenger's shadow, where the comparison asks for it and no later batch has been measured."""
    measured = max((verdict.sequence for verdict in past if verdict.measured), default=0)
    if rival.action != "drop" or evidence.replay or evidence.sequence <= measured:
        return
    yield Action(
        pipeline=evidence.pipeline,
        kind="drop",
        key=f"drop-{evidence.finding}",
        reason=rival.reason,
        finding=evidence.finding,
        payload={"batch": evidence.batch, "champion": evidence.champion, "version": rival.version},
    )


def why_overtaken(action: Action, asked: Verdict | None, verdict: Verdict) -> str:
    """Why a retrain, or the question whether to, that still waits is moot after a verdict; empty where it is not.

    What labels asked for is not withdrawn by a batch that has none.

    Args:
        asked: the verdict that asked for it, None where it has been deleted.
    """
    if action.payload.get("champion") != verdict.champion:
        return f"version {verdict.champion} is the champion now"
    if action.finding == verdict.finding or (asked is not None and asked.sequence >= verdict.sequence):
        return ""
    if verdict.action == "none" and verdict.measured >= bool(action.payload.get("measured")):
        return f"batch {verdict.batch} shows nothing any more"
    if verdict.acts and action.kind == verdict.action == "review":
        return f"batch {verdict.batch} asks again"
    return ""
