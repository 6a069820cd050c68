"""The command `features`: the named configurations that `features.pipeline` takes."""

from collections.abc import Mapping
from typing import Any

from automl_assets.learn.features.configurations import registry
from automl_assets.learn.features.recipe import Recipe
from automl_assets.pipeline_files import load_all
from automl_assets.platform_file import FILE_NAME, named_features
from automl_assets.tuning.config import AUTO
from resources.settings import Settings

FOLLOWS_ROLES = "Each column's role and the model's family decide."


def list_features() -> dict[str, Any]:
    """Every configuration: what it is for, what it states, where it stands, and which pipelines use it."""
    settings = Settings.from_environment()
    named = named_features(settings.pipelines)
    users: dict[str, list[str]] = {}
    for config in load_all(settings.pipelines):
        users.setdefault(config.features.pipeline, []).append(config.name)
    return {
        "configurations": [
            {"name": name, **found, "used_by": users.get(name, [])} for name, found in sorted(_known(named).items())
        ]
    }


def _known(named: Mapping[str, Recipe]) -> dict[str, dict[str, Any]]:
    bundled = {
        name: {"from": "bundled", "told": found.told(), "recipe": _stated(found.recipe)}
        for name, found in registry.all().items()
    }
    own = {name: {"from": FILE_NAME, "told": "", "recipe": _stated(recipe)} for name, recipe in named.items()}
    return {AUTO: {"from": "bundled", "told": FOLLOWS_ROLES, "recipe": {}}, **bundled, **own}


def _stated(recipe: Recipe) -> dict[str, Any]:
    return recipe.model_dump(mode="json", exclude_defaults=True)
