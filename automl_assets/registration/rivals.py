"""Versions that score beside the champion: a challenger in its shadow, the one before in the new one's probation.

Pure: which rivals there are, how one did on a batch, and what follows from several batches.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from automl_assets.core.evidence import RivalScore
from automl_assets.core.records import Act
from automl_assets.core.values import Interval
from automl_assets.evaluation.report import paired_gain
from automl_assets.learn.score import metric_named
from automl_assets.training.model import ModelCard

if TYPE_CHECKING:
    import numpy as np

Role = Literal["previous", "challenger"]
PROBATION_BATCHES = 5
LEAST_ROWS = 20
LEAST_ROWS_TO_ROLL_BACK = 100
Z_95, Z_99 = 1.959964, 2.575829
NO_GAIN = Interval(value=0.0, low=0.0, high=0.0)


@dataclass(frozen=True)
class Rival:
    """A version to score beside the champion, and why."""

    version: str
    role: Role


@dataclass(frozen=True)
class PooledGain:
    """A rival's gain over several batches, weighted by rows, and its standard error."""

    value: float
    standard_error: float
    rows: int
    batches: int

    def above_zero(self, z: float) -> bool:
        """Whether the interval of ±z standard errors lies above zero."""
        return self.value - z * self.standard_error > 0

    def told(self, metric: str) -> str:
        """The gain with its 95% interval, as people read it."""
        low, high = (self.value + side * Z_95 * self.standard_error for side in (-1, 1))
        batches = "1 batch" if self.batches == 1 else f"{self.batches} batches"
        return f"{metric} {self.value:+.5g} [{low:+.5g}, {high:+.5g}] on {self.rows:,} rows of {batches}"


@dataclass(frozen=True)
class RivalDecision:
    """What the rivals' scores ask for. `version`: the one to promote or roll back to, to drop, or to decide about."""

    action: Literal["wait", "promote", "rollback", "drop", "review"]
    reason: str
    version: str | None = None


def previous_champion(acts: Sequence[Act], champion: str) -> str | None:
    """The version that the champion replaced, if it was promoted by the newest of the acts.

    Args:
        acts: of one pipeline, newest first.
    """
    newest = acts[0] if acts else None
    if newest is None or newest.what != "promote" or newest.after != champion or newest.before == champion:
        return None
    return newest.before


def rivals_of(
    acts: Sequence[Act], *, champion: str | None, challenger: str | None, scores: Sequence[RivalScore]
) -> tuple[Rival, ...]:
    """The versions to score beside the champion on the next batch.

    The challenger, as long as its alias stands; the champion before, until 5 labelled batches have judged both.

    Args:
        acts: of one pipeline, newest first.
        champion: the version that the alias points at, if any; `challenger`: the same of that alias.
        scores: of the batches that arrived since the newest act, at most one a rival and batch.
    """
    if champion is None:
        return ()
    found: list[Rival] = []
    previous = previous_champion(acts, champion)
    if previous is not None:
        own = [score for score in scores if (score.version, score.role) == (previous, "previous")]
        can_score = all(score.scored or score.rows for score in own)
        if can_score and sum(score.rows >= LEAST_ROWS for score in own) < PROBATION_BATCHES:
            found.append(Rival(previous, "previous"))
    if challenger is not None and challenger != champion:
        found.append(Rival(challenger, "challenger"))
    return tuple(found)


def score_rival(
    rival: Rival,
    y: "np.ndarray",
    judged: "np.ndarray",
    champion: "np.ndarray",
    predicted: "np.ndarray | None",
    card: ModelCard,
    *,
    seed: int = 0,
) -> RivalScore:
    """How a rival did on one batch beside the champion.

    Args:
        y: the batch's labels as the champion's class indices, or numbers.
        judged: which rows have a usable label and were in neither's training data (`unseen.unseen_by`).
        champion: its predictions of all rows; `predicted`: the rival's in the champion's class order, None where it
            can't score the batch.
        card: the champion's.
    """
    if predicted is None:
        return RivalScore(version=rival.version, role=rival.role, rows=0, gain=NO_GAIN, scored=0)
    rows = int(judged.sum())
    gain = NO_GAIN
    if rows >= LEAST_ROWS:
        gain = paired_gain(metric_named(card.metric), y[judged], predicted[judged], champion[judged], seed=seed)
    defined = gain.value == gain.value
    return RivalScore(
        version=rival.version,
        role=rival.role,
        rows=rows if rows >= LEAST_ROWS and defined else 0,
        gain=gain if defined else NO_GAIN,
        scored=len(predicted),
        disagreement=round(disagreement(champion, predicted, card.residual_quantile), 6),
    )


def disagreement(champion: "np.ndarray", rival: "np.ndarray", half_width: float | None) -> float:
    """The share of rows for which the rival names another class, or a value outside of the champion's 90% interval."""
    import numpy as np

    if not len(champion):
        return 0.0
    if champion.ndim == 2:
        return float(np.mean(champion.argmax(axis=1) != rival.argmax(axis=1)))
    return float(np.mean(abs(champion - rival) > (half_width or 0.0)))


def pooled_gain(scores: Sequence[RivalScore]) -> PooledGain | None:
    """The rows-weighted mean of the gains, its standard error from their 95% intervals; None without labelled rows."""
    measured = [score for score in scores if score.rows >= LEAST_ROWS]
    rows = sum(score.rows for score in measured)
    if not rows:
        return None
    value = sum(score.rows * score.gain.value for score in measured) / rows
    errors = [score.rows * (score.gain.high - score.gain.low) / (2 * Z_95) for score in measured]
    return PooledGain(value, sum(error**2 for error in errors) ** 0.5 / rows, rows, len(measured))


def decide_rivals(scores: Sequence[RivalScore], *, shadow_batches: int, metric: str) -> RivalDecision:
    """What follows from the scores; a return to the champion before comes first.

    The champion before comes back when it is better on the labelled rows that arrived since with a pooled 99% interval
    above zero. A challenger is promoted after `shadow_batches` batches if its pooled gain is above zero, else dropped;
    where none of them has labels, a person decides.

    Args:
        scores: of the batches that arrived since the champion last changed or the challenger was named, one a rival and
            batch; those of rivals that no longer are any are left out.
    """
    previous = [score for score in scores if score.role == "previous"]
    gain = pooled_gain(previous)
    if gain is not None and gain.rows >= LEAST_ROWS_TO_ROLL_BACK and gain.above_zero(Z_99):
        version = previous[-1].version
        reason = f"version {version}, the champion before, is better since the promotion: {gain.told(metric)}"
        return RivalDecision("rollback", reason, version)
    shadowed = [score for score in scores if score.role == "challenger"]
    if not shadowed:
        return RivalDecision("wait", "there is no challenger")
    return _end_shadow(shadowed, max(1, shadow_batches), metric)


def _end_shadow(shadowed: Sequence[RivalScore], batches: int, metric: str) -> RivalDecision:
    version, seen = shadowed[-1].version, len(shadowed)
    if seen < batches:
        return RivalDecision("wait", f"version {version} has scored {seen} of {batches} batches beside the champion")
    scored = sum(max(score.scored, score.rows) for score in shadowed)
    if not scored:
        return RivalDecision("drop", f"version {version} could score none of {seen} batches", version)
    gain = pooled_gain(shadowed)
    if gain is None:
        share = sum(score.scored * score.disagreement for score in shadowed) / scored
        reason = (
            f"version {version} has scored {scored:,} rows of {seen} batches beside the champion, none with a label: "
            f"they disagree on {share:.1%}; a person decides (automl promote)"
        )
        return RivalDecision("review", reason, version)
    told = gain.told(metric)
    if gain.value > 0:
        return RivalDecision("promote", f"version {version} did better beside the champion: {told}", version)
    return RivalDecision("drop", f"version {version} did no better beside the champion: {told}", version)
