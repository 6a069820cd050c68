"""What a version was made from and by, kept beside it as `reproduce.json`: what it takes to make it again."""

import json
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import ConfigDict, ValidationError

from automl_assets.cleaning.steps import CLEAN_TABLE, CLEANING_PLAN
from automl_assets.core.config import Section
from automl_assets.core.errors import InputError
from automl_assets.core.provenance import installed_packages, source_files
from automl_assets.core.values import CleanTable, Study, TableHandle, TrainingWindow, Value
from automl_assets.problems.config import ColumnsConfig, ProblemConfig
from automl_assets.problems.steps import PROBLEM
from automl_assets.training.steps import TRAINED_MODEL
from automl_assets.tuning.config import FeaturesConfig, TuningConfig
from automl_assets.tuning.machine import Machine
from automl_assets.tuning.steps import TUNING_STUDY

RECORD_FILE = "reproduce.json"
CODE = ("cleaning", "core", "learn", "problems", "training", "tuning")
STEPS = (PROBLEM, CLEANING_PLAN, CLEAN_TABLE, TUNING_STUDY, TRAINED_MODEL)


class VersionRecord(Value):
    """The tables, the search and the environment that a version came from.

    score: the ensemble's, out of fold.
    cores, memory_mb, device: what the search was given (see `tuning.machine`). steps: each step's code version.
    sources: a digest of each file of the code that made it; a commit does not tell what a working copy changed.
    """

    window: TrainingWindow
    clean_table: TableHandle
    study: Study
    score: float
    deterministic: bool
    cores: int
    memory_mb: float
    device: str
    python: str
    machine: str
    packages: dict[str, str]
    steps: dict[str, str]
    sources: dict[str, str]

    @classmethod
    def of(cls, clean: CleanTable, study: Study, score: float, machine: Machine, *, deterministic: bool) -> Self:
        """The record of a version that this process's code and environment made."""
        return cls(
            window=clean.window,
            clean_table=clean.table,
            study=study,
            score=score,
            deterministic=deterministic,
            cores=machine.cores,
            memory_mb=machine.memory_mb,
            device=machine.device,
            python=platform.python_version(),
            machine=platform.machine(),
            packages=installed_packages(),
            steps=step_versions(),
            sources=sources(),
        )

    def to_text(self) -> str:
        """What `read` reads."""
        return json.dumps(self.model_dump(mode="json"), indent=1)

    @classmethod
    def read(cls, file: Path) -> Self:
        """The record in a file.

        Raises:
            InputError: it has another shape: another version of automl-assets wrote it, or it is damaged.
        """
        try:
            return cls.model_validate(json.loads(file.read_text(encoding="utf-8")))
        except (ValidationError, ValueError) as error:
            raise InputError(
                f"{RECORD_FILE} has another shape than this version of automl-assets reads.",
                where=str(file),
                remedy="Install the version that wrote it (the tag code_version), or train again.",
            ) from error


def step_versions() -> dict[str, str]:
    """The code version of each step that is made again."""
    return {step.name: step.code_version for step in STEPS}


def sources() -> dict[str, str]:
    """The files of the code that makes a model, with their digests."""
    return source_files(*CODE)


class MadeWith(Section):
    """The settings that decide what a version is, out of the configuration that is kept beside it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    target: str
    seed: int
    columns: ColumnsConfig
    problem: ProblemConfig
    features: FeaturesConfig
    tuning: TuningConfig

    @classmethod
    def of(cls, document: Mapping[str, Any], *, where: str) -> Self:
        """The settings in a document of the shape of a `defs.yaml`.

        Raises:
            InputError: they are not all there, or are none that this version of automl-assets knows.
        """
        try:
            return cls.model_validate(document.get("attributes"))
        except ValidationError as error:
            told = error.errors()[0]
            raise InputError(
                f"The recorded configuration can't be read: {'.'.join(map(str, told['loc']))}: {told['msg']}.",
                where=where,
                remedy="Install the version that wrote it (the tag code_version), or train again.",
            ) from error
