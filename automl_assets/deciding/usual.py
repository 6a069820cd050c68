"""When a measured drop asks for a retrain: at once, and again only when there is something to win.

A random holdout flatters a model whose world moves: no retrain brings back what no fresh model reaches. And where the
world has just changed, a retrain has seen too little of the new one, but the next may have seen enough. So a drop that
a retrain did not end asks again after 2 labelled batches, then 4, then every 8; and in between when the champion does
worse than it did on its own first batch. A smaller loss that no batch proves alone asks when three together prove it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from automl_assets.core.evidence import Drop, Verdict

Z_MEASURED = 3.09  # one-sided 0.1%: a replay of ten batches raises a false alarm in 1% of cases
MOST_WAIT = 8
LATELY = 3


@dataclass(frozen=True)
class Asked:
    """The drop that asks for a retrain, and how it was told from what is usual, in words."""

    drop: Drop
    why: str = ""


def judge_drop(now: Drop, champion: str, sequence: int, verdicts: Sequence[Verdict]) -> Asked | None:
    """Whether a measured drop asks for a retrain.

    Args:
        sequence: of the batch that was measured; only earlier ones count.
        verdicts: what is known, newest first.
    """
    measured: dict[int, Verdict] = {}
    for verdict in verdicts:
        if verdict.sequence < sequence and verdict.drop is not None:
            measured.setdefault(verdict.sequence, verdict)
    earlier = [measured[place] for place in sorted(measured, reverse=True)]
    retrains, since = _streak(earlier)
    if now.certain(Z_MEASURED):
        if not retrains:
            return Asked(now)
        if since + 1 >= min(MOST_WAIT, 2**retrains):
            return Asked(now, f", which the last retrain did not end; {since + 1} batches have been labelled since")
    mine = [verdict.drop for verdict in reversed(earlier) if verdict.champion == champion and verdict.drop is not None]
    if not retrains:
        return _lasting(now, mine)
    return _beyond_the_usual(now, mine) if mine else None


def _streak(earlier: Sequence[Verdict]) -> tuple[int, int]:
    """How many retrains a drop that has not ended asked for already, and how many batches came since the last."""
    retrains = since = 0
    for verdict in earlier:
        if verdict.drop is None or not verdict.drop.certain(Z_MEASURED):
            break
        if verdict.action == "retrain" and verdict.acts:
            retrains += 1
        elif not retrains:
            since += 1
    return retrains, since


def _lasting(now: Drop, mine: Sequence[Drop]) -> Asked | None:
    """Whether the champion's last three labelled batches together are worse than the holdout, though none is for sure.

    Args:
        mine: the champion's measured drops, oldest first; the error of their common reference does not average out.
    """
    lately = [*mine[1 - LATELY :], now]
    if len(lately) < LATELY or any(drop.certain(Z_MEASURED) for drop in lately):
        return None
    reference = max(0.0, now.standard_error**2 - now.sampling**2 - now.natural**2)
    value, variance = _mean(lately)
    together = now.model_copy(update={"value": value, "standard_error": (reference + variance) ** 0.5})
    return Asked(together, f" over the last {LATELY} labelled batches") if together.certain(Z_MEASURED) else None


def _beyond_the_usual(now: Drop, mine: Sequence[Drop]) -> Asked | None:
    """Whether this batch, or the last three together, lost more than the champion's first batch did.

    Args:
        mine: the champion's measured drops, oldest first. All are from the same holdout, whose own error cancels.
    """
    first, *later = mine
    lately = [*later[1 - LATELY :], now]
    for some, told in (([now], "this batch"), (lately, f"the last {len(lately)} batches")):
        if len(some) not in (1, LATELY):
            continue
        value, variance = _mean(some)
        error = (variance + first.sampling**2 + first.natural**2) ** 0.5
        beyond = now.model_copy(update={"value": value - max(0.0, first.value), "standard_error": error})
        if beyond.certain(Z_MEASURED):
            return Asked(beyond, f" than on the champion's first batch ({told})")
    return None


def _mean(some: Sequence[Drop]) -> tuple[float, float]:
    """The mean of drops, and the variance of what the batches themselves add to it."""
    variance = sum(drop.sampling**2 + drop.natural**2 for drop in some)
    return sum(drop.value for drop in some) / len(some), variance / len(some) ** 2
