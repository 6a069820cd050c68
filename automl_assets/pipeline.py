"""One pipeline's configuration: every section that a `defs.yaml` may have, closed and frozen."""

from pathlib import Path
from typing import Any

from pydantic import Field

from automl_assets.cleaning.config import CleaningConfig
from automl_assets.core.config import Section
from automl_assets.core.errors import ConfigError
from automl_assets.core.fingerprint import digest_of, digest_of_file
from automl_assets.ingestion.config import BatchesConfig, ScheduleConfig, SourceField, WindowConfig
from automl_assets.monitoring.config import LabelsConfig, MonitoringConfig
from automl_assets.problems.config import ColumnsConfig, ProblemConfig
from automl_assets.quality.config import QualityConfig
from automl_assets.registration.config import RegistrationConfig
from automl_assets.serving.config import PredictionsConfig
from automl_assets.tuning.config import FeaturesConfig, TuningConfig

NAME_PATTERN = r"^[a-z][a-z0-9_]{0,62}$"


class PipelineConfig(Section):
    """One prediction problem: a source, a target, and settings that all have a default."""

    name: str = Field(pattern=NAME_PATTERN, description="Lower-case letters, digits and underscores.")
    source: SourceField = Field(description="Where the table comes from.")
    target: str = Field(min_length=1, description="The column to predict.")
    owner: str | None = Field(default=None, description="Who answers for it: an e-mail address or `team:name`.")
    seed: int = Field(default=0, ge=0, le=2_000_000_000, description="Estimators take no larger one.")
    columns: ColumnsConfig = ColumnsConfig()
    problem: ProblemConfig = ProblemConfig()
    quality: QualityConfig = QualityConfig()
    batches: BatchesConfig = BatchesConfig()
    training_window: WindowConfig = WindowConfig()
    labels: LabelsConfig | None = None
    cleaning: CleaningConfig = CleaningConfig()
    features: FeaturesConfig = FeaturesConfig()
    tuning: TuningConfig = TuningConfig()
    registration: RegistrationConfig = RegistrationConfig()
    predictions: PredictionsConfig = PredictionsConfig()
    monitoring: MonitoringConfig = MonitoringConfig()
    schedule: ScheduleConfig = ScheduleConfig()

    def located(self, folder: Path) -> "PipelineConfig":
        """The same pipeline with relative paths resolved against the YAML file's folder."""
        contract = self.quality.contract
        quality = QualityConfig(contract=str((folder / contract).resolve())) if contract else self.quality
        labels = self.labels
        if labels is not None:
            labels = labels.model_copy(update={"source": labels.source.located(folder)})
        source = self.source.located(folder)
        predictions = self.predictions.located(folder)
        return self.model_copy(
            update={"source": source, "quality": quality, "labels": labels, "predictions": predictions}
        )

    def source_version(self, batch: str) -> str:
        """What a batch is made from: its source's bytes, and the contract that it is held against.

        Raises:
            SourceError: the source can't be read.
            ConfigError: the contract is not there.
        """
        digests = [self.source.digest(batch)]
        if self.quality.contract is not None:
            path = Path(self.quality.contract)
            if not path.is_file():
                raise ConfigError("The contract is not there.", where=str(path), remedy="Correct quality.contract.")
            digests.append(digest_of_file(path))
        return digest_of(digests)

    def section(self, *names: str) -> dict[str, Any]:
        """Some sections, or parts of them (``monitoring.engine``), as JSON-able values: what a fingerprint hashes."""
        document = self.model_dump(mode="json", include={name.partition(".")[0] for name in names})
        if "features" in document:
            document["features"] = self.features.identity()
        found: dict[str, Any] = {}
        for name in names:
            section, _, part = name.partition(".")
            found[name] = document[section][part] if part else document[section]
        return found
