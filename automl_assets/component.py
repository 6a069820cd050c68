"""AutoMLPipeline, a Dagster component: one `defs.yaml` becomes the graph of one pipeline.

batch side  raw_table, quality_report, predictions, drift_report,
            performance_report, verdict                                                job <name>_score
model side  training_window, problem, cleaning_plan, clean_table, tuning_study,
            trained_model, evaluation, registered_model, champion                      job <name>_train
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import BaseModel

from automl_assets.cleaning import assets as cleaning
from automl_assets.core.config import REVEAL
from automl_assets.core.steps import Step
from automl_assets.deciding import assets as deciding
from automl_assets.evaluation import assets as evaluation
from automl_assets.ingestion import assets as ingestion
from automl_assets.monitoring import assets as monitoring
from automl_assets.pipeline import PipelineConfig
from automl_assets.pipeline_files import load_pipeline
from automl_assets.platform_file import named_features
from automl_assets.problems import assets as problems
from automl_assets.quality import assets as quality
from automl_assets.registration import assets as registration
from automl_assets.serving import assets as serving
from automl_assets.steps import BATCH_SIDE, MODEL_SIDE
from automl_assets.training import assets as training
from automl_assets.tuning import assets as tuning
from resources.pipeline_lock import PIPELINE_TAG
from resources.steps import asset_key
from sensors.schedules import schedules_of

STAGES = (
    ingestion,
    quality,
    problems,
    cleaning,
    tuning,
    training,
    evaluation,
    registration,
    serving,
    monitoring,
    deciding,
)


class AutoMLPipeline(dg.Component, dg.Resolvable):
    """A table and a target become a cleaned, tuned, registered, scored and monitored model."""

    def __init__(self, config: PipelineConfig):
        self.config = config

    @classmethod
    def model(cls) -> type[BaseModel]:
        """The closed model of a YAML file's attributes."""
        return PipelineConfig

    @classmethod
    def resolve_from_model(cls, context: dg.ResolutionContext, model: BaseModel) -> "AutoMLPipeline":
        """The component, with ``{{ env.NAME }}`` filled in."""
        resolved: Any = context.resolve_value(model.model_dump(mode="json", context={REVEAL: True}))
        return cls(PipelineConfig.model_validate(resolved))

    @classmethod
    def resolve_from_yaml(cls, yaml: str, *, scope: Mapping[str, Any] | None = None) -> "AutoMLPipeline":
        """The component from a `defs.yaml`'s text, or from its attributes alone; paths stay as they are written."""
        from yaml import safe_dump, safe_load

        document = safe_load(yaml)
        whole = isinstance(document, dict) and set(document) == {"type", "attributes"}
        return super().resolve_from_yaml(safe_dump(document["attributes"]) if whole else yaml, scope=scope)

    @classmethod
    def from_file(cls, path: str | Path) -> "AutoMLPipeline":
        """The component from a `defs.yaml`, paths relative to the file.

        Raises:
            ConfigError: the file is wrong; the line is named.
        """
        return cls(load_pipeline(Path(path)))

    def build_defs(self, context: dg.ComponentLoadContext | None = None) -> dg.Definitions:
        """The pipeline's assets, jobs and schedules. Resources, sensors and the executor come from `definitions`."""
        config = self._featured([context.path.parent] if context else ())
        config = config if context is None else config.located(context.path)
        return dg.Definitions(
            assets=[asset for stage in STAGES for asset in stage.build(config)],
            jobs=[self.train_job, self.score_job],
            schedules=schedules_of(config, self.train_job, self.score_job),
        )

    def _featured(self, folders: Sequence[Path]) -> PipelineConfig:
        """The pipeline with its named configuration of features looked up: it may stand in a folder's platform.yaml."""
        features = self.config.features
        if features.is_resolved():
            return self.config
        return self.config.model_copy(update={"features": features.resolved(named_features(folders))})

    @cached_property
    def train_job(self) -> Any:
        """The job of the model side."""
        return self._job("train", "Trains, judges and registers", MODEL_SIDE)

    @cached_property
    def score_job(self) -> Any:
        """The job of the batch side, a partition each where there are batches."""
        return self._job("score", "Reads, scores and watches", BATCH_SIDE)

    def _job(self, what: str, does: str, steps: tuple[Step, ...]) -> Any:
        return dg.define_asset_job(
            f"{self.config.name}_{what}",
            selection=[asset_key(self.config, step.name) for step in steps],
            tags={PIPELINE_TAG: self.config.name},
            description=f"{does} {self.config.name}.",
        )
