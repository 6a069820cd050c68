"""The sections `columns` and `problem`: what a person knows better than the data shows."""

from typing import Any, Literal

from pydantic import Field, PositiveFloat, field_validator, model_validator

from automl_assets.core.config import Section

StatedRole = Literal["numeric", "categorical", "datetime", "text", "id", "constant", "excluded"]


class ColumnsConfig(Section):
    """Columns with a part to play. Whatever is not named here is inferred."""

    exclude: list[str] = Field(default=[], description="Never used.")
    roles: dict[str, StatedRole] = Field(
        default={}, description="A column's role, stated. It also vouches that it is no leak."
    )
    private: list[str] = Field(default=[], description="Values never enter metadata, reports, logs or prompts.")
    sensitive: list[str] = Field(default=[], description="Groups by which evaluation is reported.")
    id: list[str] = Field(default=[], description="What identifies a row; the holdout is drawn by it.")
    time: str | None = Field(default=None, description="When a row was true; the holdout is the newest window.")
    group: str | None = Field(default=None, description="Rows of a group stay on one side of every split.")
    weight: str | None = Field(default=None, description="How much a row counts.")

    @model_validator(mode="after")
    def _one_split(self) -> "ColumnsConfig":
        if self.time and self.group:
            raise ValueError("columns.time and columns.group can't both decide the holdout; state one.")
        return self

    def with_a_part(self) -> set[str]:
        """The columns whose role is stated here, one way or another."""
        single = {name for name in (self.time, self.group, self.weight) if name is not None}
        return {*self.exclude, *self.roles, *self.id, *single}

    def named(self) -> dict[str, str]:
        """Each column that the section names, with the key that names it."""
        single = {self.time: "columns.time", self.group: "columns.group", self.weight: "columns.weight"}
        listed = {"exclude": self.exclude, "private": self.private, "sensitive": self.sensitive, "id": self.id}
        found = {name: f"columns.{key}" for key, names in listed.items() for name in names}
        found |= dict.fromkeys(self.roles, "columns.roles")
        return found | {name: key for name, key in single.items() if name is not None}


class ProblemConfig(Section):
    """What is predicted and how it is judged; `auto` lets the target decide."""

    kind: str = Field(default="auto", description="auto, binary, multiclass or regression.")
    metric: str = Field(default="auto", description="auto, or a metric's name.")
    positive_label: str | None = Field(
        default=None, description="The class that counts as positive; by default the rarer."
    )
    holdout_share: float = Field(
        default=0.2, gt=0.0, lt=0.9, description="The share of rows held out, at most 50,000 rows."
    )
    costs: dict[str, float] | dict[str, dict[str, float]] | None = Field(
        default=None,
        description="What errors cost, a gain negative: by outcome ({false_positive: 5, false_negative: 100}) or by "
        "true and predicted label. Labels are then chosen for the least expected cost.",
    )
    class_weights: Literal["balanced"] | dict[str, PositiveFloat] | None = Field(
        default=None,
        description="How many times a row of each class counts in a fit, balanced or by label. Probabilities keep "
        "their meaning: the weights are divided out.",
    )

    @field_validator("positive_label", mode="before")
    @classmethod
    def _label(cls, value: Any) -> Any:
        return value if value is None else str(value)

    @model_validator(mode="after")
    def _known_names(self) -> "ProblemConfig":
        from automl_assets.core.errors import UnknownNameError
        from automl_assets.learn.score import metric_named
        from automl_assets.problems.types import registry

        try:
            if self.kind != "auto":
                registry.get(self.kind)
            if self.metric != "auto":
                metric_named(self.metric, None if self.kind == "auto" else self.kind)
        except UnknownNameError as error:
            raise ValueError(f"{error.message} {error.remedy}") from error
        return self

    @field_validator("costs", "class_weights", mode="before")
    @classmethod
    def _labels_as_text(cls, value: Any) -> Any:
        from automl_assets.problems.costs import with_label_texts

        return with_label_texts(value)

    @model_validator(mode="after")
    def _sensible_costs(self) -> "ProblemConfig":
        from automl_assets.problems.costs import why_no_costs

        if self.kind == "regression" and (self.costs is not None or self.class_weights is not None):
            named = "costs" if self.costs is not None else "class_weights"
            raise ValueError(f"problem.{named} are for classes, and a regression predicts a number; leave them out.")
        why_not = why_no_costs(self.costs) if self.costs is not None else None
        if why_not:
            raise ValueError(f"problem.costs: {why_not}")
        return self
