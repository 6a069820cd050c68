"""Configurations on their way through the folds, and how they compare on the folds that they share."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from automl_assets.core.values import Trial
from automl_assets.learn.score import Metric
from automl_assets.tuning.trial_store import FoldResult

KEPT = 8
SURE_P = 0.1

State = Literal["open", "complete", "pruned", "failed"]


@dataclass
class Candidate:
    """One configuration of one family. `number` counts the family's configurations; 0 is its defaults.

    held: of a stack layer, whether it held on rows that were held out; None until that is known.
    """

    family: str
    number: int
    params: dict[str, Any]
    results: dict[int, FoldResult] = field(default_factory=dict)
    running: set[int] = field(default_factory=set)
    state: State = "open"
    reason: str = ""
    seconds: float = 0.0
    memory_mb: float = 0.0
    fed: bool = False
    held: bool | None = None

    @property
    def id(self) -> str:
        """The name of its folder."""
        return f"{self.family}-{self.number}"

    def done(self) -> list[int]:
        """The folds that it has finished."""
        return sorted(self.results)

    def mean(self, folds: Iterable[int]) -> float | None:
        """The mean natural score over some folds, None unless it finished them all."""
        scores = [self.results[k].score if k in self.results else None for k in folds]
        known = [score for score in scores if score is not None]
        return sum(known) / len(known) if known and len(known) == len(scores) else None

    def next_fold(self, folds: int) -> int | None:
        """A fold to start now: the first, then, once that is known, any that is neither finished nor running."""
        wanted = range(folds) if 0 in self.results else range(1)
        return next((k for k in wanted if k not in self.results and k not in self.running), None)

    def as_trial(self, folds: int) -> Trial:
        """The value that the study keeps: the score over the first `folds` folds, as far as they are finished."""
        done = [k for k in range(folds) if k in self.results]
        finished = len(done) == folds
        state: Any = "complete" if finished and self.state in ("open", "pruned") else self.state
        return Trial(
            id=self.id,
            family=self.family,
            params=self.params,
            state="partial" if state == "open" else state,
            score=self.mean(done) if done else None,
            folds=len(done),
            fit_seconds=round(sum(self.results[k].fit_seconds for k in done), 3),
            memory_mb=round(self.memory_mb, 1),
            reason=self.reason,
            bag=len(self.results),
        )


def is_promising(candidate: Candidate, others: Sequence[Candidate], metric: Metric) -> bool:
    """Whether fewer than eight others are better on the folds that the candidate has finished."""
    mine = candidate.mean(candidate.done())
    if mine is None:
        return not candidate.results
    rivals = (other.mean(candidate.done()) for other in others if other is not candidate)
    return sum(metric.better(score, mine) for score in rivals if score is not None) < KEPT


def is_surely_worse(candidate: Candidate, other: Candidate | None, metric: Metric) -> bool:
    """Whether another is better fold by fold, by Wilcoxon's signed-rank test (1945), exact and one-sided, p < 0.1."""
    if other is None or other is candidate:
        return False
    shared = sorted(set(candidate.results) & set(other.results))
    losses = [
        metric.loss(candidate.results[k].score or 0.0) - metric.loss(other.results[k].score or 0.0) for k in shared
    ]
    return wilcoxon_p([loss for loss in losses if loss]) < SURE_P


def wilcoxon_p(differences: Sequence[float]) -> float:
    """The chance that ranks of positive differences add up to so much where signs are drawn by coin; ties by order."""
    ordered = sorted(differences, key=abs)
    observed = sum(rank for rank, one in enumerate(ordered, 1) if one > 0)
    reached = [0] * (sum(range(len(ordered) + 1)) + 1)
    reached[0] = 1
    for rank in range(1, len(ordered) + 1):
        for total in range(len(reached) - 1, rank - 1, -1):
            reached[total] += reached[total - rank]
    return sum(reached[observed:]) / 2 ** len(ordered)


def rank_families(candidates: Sequence[Candidate], folds: int, metric: Metric) -> list[str]:
    """The families that have a candidate with all folds, best first."""
    best: dict[str, float] = {}
    for candidate in candidates:
        mean = candidate.mean(range(folds))
        if mean is not None:
            loss = metric.loss(mean)
            best[candidate.family] = min(loss, best.get(candidate.family, loss))
    return sorted(best, key=lambda family: best[family])


def leader(candidates: Sequence[Candidate], metric: Metric) -> Candidate | None:
    """The best of those with the most finished folds."""
    scored = [c for c in candidates if c.mean(c.done()) is not None]
    most = max((len(c.results) for c in scored), default=0)
    return min(
        (c for c in scored if len(c.results) == most), key=lambda c: metric.loss(c.mean(c.done()) or 0.0), default=None
    )


def usable_folds(candidates: Sequence[Candidate]) -> int:
    """The most folds, counted from the first without a gap, that a candidate has finished; 0 where none has any."""
    best = 0
    for candidate in candidates:
        prefix = 0
        while prefix in candidate.results:
            prefix += 1
        best = max(best, prefix)
    return best


def losers(candidates: Sequence[Candidate], folds: int, metric: Metric) -> list[Candidate]:
    """Complete candidates that no ensemble will want: beyond twice the kept number and not their family's best."""
    complete = [c for c in candidates if c.state == "complete" and c.mean(range(folds)) is not None]
    complete.sort(key=lambda c: metric.loss(c.mean(range(folds)) or 0.0))
    best_of_family = {c.family: c for c in reversed(complete)}
    return [c for c in complete[2 * KEPT :] if best_of_family[c.family] is not c]
