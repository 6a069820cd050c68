"""Everything that a page about a version is made of: what was stored of it, and nothing computed anew."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from automl_assets.core.ports import VersionInfo
from automl_assets.core.values import (
    CleaningPlan,
    Evaluation,
    HoldoutRule,
    PlanStep,
    Problem,
    QualityReport,
    Study,
    TrainedModel,
    TrainingWindow,
)
from automl_assets.evaluation.expectations import Expectations
from automl_assets.evaluation.stored_reference import Reference
from automl_assets.training.model import ModelCard

SECRET_ROLES = ("id", "text")


@dataclass(frozen=True)
class PageFacts:
    """A registered version. What may be None was not stored, or is not on this machine.

    private: the columns whose values the pipeline wants to see nowhere; identifiers and text are added to them.
    watching: the engine and the thresholds of monitoring, in the configuration that the version was made with.
    """

    info: VersionInfo
    evaluation: Evaluation
    problem: Problem
    plan: CleaningPlan
    card: ModelCard
    private: frozenset[str] = frozenset()
    watching: Mapping[str, str] = field(default_factory=dict)
    champion: str | None = None
    url: str = ""
    trained: TrainedModel | None = None
    study: Study | None = None
    window: TrainingWindow | None = None
    quality: Mapping[str, QualityReport] = field(default_factory=dict)
    reference: Reference | None = None
    expectations: Expectations | None = None
    made: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def title(self) -> str:
        """The version's name."""
        return f"{self.info.name}, version {self.info.version}"

    @property
    def hidden(self) -> frozenset[str]:
        """Columns that are named without any value."""
        return self.private.union(
            self.card.id_columns,
            (name for name, role in {**self.problem.roles, **self.card.roles}.items() if role in SECRET_ROLES),
            self.reference.private if self.reference is not None else (),
        )

    @property
    def classes(self) -> tuple[str, ...]:
        """The target's classes, numbered where its values may not be shown."""
        if self.problem.target in self.hidden:
            return tuple(f"class {i + 1}" for i in range(len(self.problem.classes)))
        return self.problem.classes

    def missing(self) -> list[str]:
        """What a page usually has and this one can't, with the reason."""
        told = {
            "the leaderboard and its costs (the training record is not on this machine)": self.trained,
            "the tuning history (the study's record is not on this machine)": self.study,
            "the training data's batches (the window's record is not on this machine)": self.window,
            "the quality score (the batches' reports are not on this machine)": self.quality or None,
            "the drift reference (the version was registered without one)": self.reference,
        }
        found = [what for what, value in told.items() if value is None]
        if self.problem.classes and not reliability_of(self.evaluation):
            found.append("the reliability curve (the evaluation does not store it)")
        return found


def reliability_of(evaluation: Evaluation) -> tuple[tuple[float, float], ...]:
    """Mean predicted and observed shares by bin, once evaluations store them."""
    return tuple(getattr(evaluation, "reliability", ()))


def better_words(facts: PageFacts) -> str:
    """Which way the metric goes."""
    return "higher is better" if facts.evaluation.higher_is_better else "lower is better"


def verdict(facts: PageFacts) -> tuple[str, str]:
    """How good the version is in a sentence, and good, warn or bad."""
    found = facts.evaluation
    gain, score = found.gain_over_linear, found.holdout
    told = (
        f"{found.metric} {score.value:.4g} [{score.low:.4g}, {score.high:.4g}] on {found.rows:,} rows that it never saw"
    )
    against = f"gain {gain.value:+.3g} [{gain.low:+.3g}, {gain.high:+.3g}]"
    sign = 1 if found.higher_is_better else -1
    if sign * (score.value - found.dummy) <= 0:
        return f"No better than guessing: {told}; a dummy has {found.dummy:.4g}.", "bad"
    if gain.low > 0:
        return f"Better than a linear model: {told}; {against}.", "good"
    if gain.high < 0:
        return f"Worse than a linear model: {told}; {against}.", "bad"
    return f"Not clearly better than a linear model: {told}; {against}.", "warn"


def holdout_words(rule: HoldoutRule, hidden: frozenset[str]) -> str:
    """Which rows judge, in a sentence."""
    if rule.kind == "time":
        when = "" if rule.newest_from is None or hidden.intersection(rule.columns) else f" (from {rule.newest_from})"
        return f"The newest {rule.share:.0%} of the rows by {_listed(rule.columns)}{when} judge; the older ones teach."
    if rule.kind == "key":
        return (
            f"{rule.share:.0%} of the rows judge, drawn by a hash of {_listed(rule.columns)}: "
            "rows that share it are on one side, now and in later batches."
        )
    strata = {"class": ", the same share of each class", "quantile": ", the same share of each tenth of the target"}
    even = strata.get(rule.strata or "", "")
    return (
        f"{rule.share:.0%} of the rows judge, drawn by a hash of their values{even}: "
        "equal rows are on one side, now and in later batches."
    )


def step_words(step: PlanStep, hidden: frozenset[str]) -> str:
    """A cleaning step in a sentence; of hidden columns without its reason, which may quote a cell."""
    what = f"{step.operation.replace('_', ' ').capitalize()} in {_listed(step.columns)}"
    why = "" if hidden.intersection(step.columns) or not step.reason else f": {step.reason}"
    cells = f"{step.changed:,} cells, " if step.changed else ""
    return f"{what}{why} ({cells}by the {step.author} planner, confidence {step.confidence:.0%})."


def _listed(names: tuple[str, ...], most: int = 8) -> str:
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
