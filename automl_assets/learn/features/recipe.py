"""The section that names how columns become a matrix. Everything `auto` is what `Encoder.fit` does on its own."""

from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from automl_assets.core.config import Section

View = Literal["codes", "dense"]


class Recipe(Section):
    """Methods by name; each name is a file of its folder beside this one.

    `auto` in the view ``codes`` (trees): numbers as they are, missing stays missing, a category is its rank by
    frequency and beyond 64 categories its target encoding too. `auto` in the view ``dense``: medians with indicators,
    standardised, categories one-hot and beyond 64 categories their target encoding too.
    """

    scaler: str = Field(default="auto", description="How numbers are scaled in the view `dense`.")
    encoder: str = Field(default="auto", description="What stands for a category, in both views.")
    imputer: str = Field(default="auto", description="What stands for a missing number, in both views.")
    indicators: bool | None = Field(
        default=None, description="A column that says where a number was missing; by default in the view `dense`."
    )
    dates: str = Field(default="auto", description="What stands for a date: parts, or cycles beside the parts.")
    text: str = Field(default="auto", description="What stands for a text: words, or tfidf_svd of n-grams.")
    selection: str = Field(default="none", description="How features are judged of which only some are kept.")
    selection_share: float = Field(default=0.5, gt=0, le=1, description="The share of the features to keep.")
    selection_count: int | None = Field(default=None, ge=1, description="How many to keep, instead of a share.")
    pairs: int = Field(default=0, ge=0, le=100, description="Differences, ratios and products of numbers to add.")
    crosses: int = Field(default=0, ge=0, le=20, description="Pairs of categories to add as one category each.")
    custom: tuple[str, ...] = Field(
        default=(), description="Your own transformers, as `package.module:Class`; their code is imported and run."
    )

    @field_validator("scaler", "encoder", "imputer", "selection", "dates", "text")
    @classmethod
    def _known(cls, value: str, info: Any) -> str:
        from automl_assets.core.errors import UnknownNameError, unknown_name

        known = choices(info.field_name)
        if value in known:
            return value
        error: UnknownNameError = unknown_name(info.field_name, value, known)
        raise ValueError(f"{error.message} {error.remedy}") from error

    @field_validator("custom")
    @classmethod
    def _paths(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for path in value:
            module, _, name = path.partition(":")
            if not (name.isidentifier() and all(part.isidentifier() for part in module.split("."))):
                raise ValueError(f"{path!r} is no import path; write it as package.module:ClassName.")
        return value

    @model_validator(mode="after")
    def _once(self) -> Self:
        if len(set(self.custom)) < len(self.custom):
            raise ValueError("custom names the same transformer twice.")
        return self

    def named(self, field: Literal["scaler", "imputer"], view: str) -> str:
        """The method of a field in a view, `auto` resolved."""
        auto = {"scaler": "standard", "imputer": "median"}
        name = getattr(self, field)
        return name if name != "auto" else auto[field] if view == "dense" else "none"


def choices(field: str) -> list[str]:
    """The names that a field of the recipe takes."""
    from automl_assets.learn.features import columns, encoders, imputers, scalers, selections

    folders = {"scaler": scalers, "encoder": encoders, "imputer": imputers, "selection": selections}
    if field in folders:
        return (["auto"] if field != "selection" else []) + list(folders[field].registry.names())
    role = {"dates": "datetime", "text": "text"}[field]
    return ["auto", *(name for name, kind in columns.registry.all().items() if kind.role == role)]
