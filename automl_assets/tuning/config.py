"""The sections `features` and `tuning`."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal, Self

from pydantic import Field, SerializerFunctionWrapHandler, field_validator, model_serializer

from automl_assets.core.config import Section
from automl_assets.learn.features.recipe import Recipe

AUTO = "auto"
NONE_NAMED: Mapping[str, Recipe] = MappingProxyType({})


class FeaturesConfig(Recipe):
    """How columns become numbers: a named configuration, and what is stated beside it, which overrides it.

    Written out, it has the fields that were stated and no others.
    """

    pipeline: str = Field(
        default=AUTO, description="auto, a bundled configuration, or one that platform.yaml names under `features`."
    )

    @model_serializer(mode="wrap")
    def _as_stated(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {key: value for key, value in write(self).items() if key == "pipeline" or key in self._stated()}

    def _stated(self) -> set[str]:
        return self.model_fields_set & set(Recipe.model_fields)

    def is_resolved(self) -> bool:
        """Whether its own fields say everything: it needs no configuration that stands elsewhere."""
        return self.pipeline == AUTO or self._stated() == set(Recipe.model_fields)

    def recipe(self, named: Mapping[str, Recipe] = NONE_NAMED) -> Recipe:
        """The methods: those of the named configuration, but for the fields that are stated.

        Args:
            named: the platform's own configurations; one that has a bundled one's name takes its place.

        Raises:
            UnknownNameError: nothing has the name; the known ones are listed.
        """
        stated = {name: getattr(self, name) for name in self._stated()}
        if self.is_resolved():
            return Recipe(**stated)
        if "selection_share" in stated:  # a count that the configuration states would win over it
            stated = {"selection_count": None, **stated}
        return Recipe(**{**configuration(self.pipeline, named).model_dump(), **stated})

    def resolved(self, named: Mapping[str, Recipe] = NONE_NAMED) -> Self:
        """The same with every field stated, so that it means the same wherever it is read.

        Raises:
            UnknownNameError: nothing has the configuration's name; the known ones are listed.
        """
        if self.is_resolved():
            return self
        return type(self)(pipeline=self.pipeline, **self.recipe(named).model_dump())

    def identity(self) -> dict[str, Any]:
        """What a fingerprint hashes: what the recipe says, whatever its name, and the code that it has imported."""
        from automl_assets.learn.features.columns.custom import code_digest

        told = self.recipe().model_dump(mode="json", exclude_defaults=True)
        code = {path: code_digest(path) for path in told.get("custom", ())}
        return {**told, **({"code": code} if code else {})} or {"pipeline": AUTO}


def configuration(name: str, named: Mapping[str, Recipe] = NONE_NAMED) -> Recipe:
    """A configuration of features by its name: one of `named`, else a bundled one.

    Raises:
        UnknownNameError: there is none; the known ones are listed.
    """
    from automl_assets.core.errors import unknown_name
    from automl_assets.learn.features.configurations import registry

    if name in named:
        return named[name]
    if name not in registry.names():
        raise unknown_name("features configuration", name, sorted({AUTO, *named, *registry.names()}))
    return registry.get(name).recipe


class TuningConfig(Section):
    """How long and among what to search."""

    time_budget_seconds: float = Field(
        default=300, gt=0, description="Wall-clock seconds for tuning and training together."
    )
    max_trials: int | None = Field(default=None, ge=1, description="Stop after this many configurations.")
    families: Literal["auto"] | list[str] = Field(default="auto", description="Model families by name; all by default.")
    ensemble: Literal["auto", "greedy", "voting", "best"] = Field(
        default="auto",
        description="How the best configurations become one model: greedy weighs them out of fold (auto is that), "
        "voting gives the best few equal weights, best takes the best alone.",
    )
    prefer: Literal["accuracy", "balanced", "latency"] = Field(
        default="balanced", description="How much one row may cost the model: about 30, 20 or 10 ms in all."
    )
    deterministic: bool = Field(
        default=False,
        description="Count work instead of seconds: the same seed, data and number of processors give the same model, "
        "byte for byte. time_budget_seconds are those of a usual processor then.",
    )

    @field_validator("families")
    @classmethod
    def _known(cls, value: Any) -> Any:
        from automl_assets.core.errors import UnknownNameError
        from automl_assets.learn.families import registry

        if isinstance(value, list):
            if not value:
                raise ValueError("families is empty; name at least one, or leave it out.")
            for name in value:
                try:
                    kind = registry.get(name)
                except UnknownNameError as error:
                    raise ValueError(f"{error.message} {error.remedy}") from error
                if kind.stacks:
                    raise ValueError(f"{name} learns from other members; where there is time it is added by itself.")
        return value
