"""A version made again from what is recorded of it, step by step, by the functions that the assets call."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from automl_assets.cleaning.apply import roles_after
from automl_assets.cleaning.training_rows import clean_rows_of, plan_of
from automl_assets.core.memory import BatchSize
from automl_assets.core.tables import open_tables
from automl_assets.core.values import CleaningPlan, CleanTable, Problem, Study, TrainedModel
from automl_assets.learn.runner import Runner
from automl_assets.problems.detect import detect_problem
from automl_assets.registration.record import MadeWith, VersionRecord
from automl_assets.training.facts import model_facts
from automl_assets.training.train import train_model
from automl_assets.tuning.search_settings import SearchProgress
from automl_assets.tuning.study import run_study
from automl_assets.tuning.trial_store import TrialStore

if TYPE_CHECKING:
    import pyarrow.dataset as ds


@dataclass(frozen=True)
class StoredVersion:
    """A registered version as it is kept: its tags, what it was made with and from, and its model's folder.

    tables_root: what the recorded tables' paths are relative to.
    """

    name: str
    version: str
    tags: Mapping[str, str]
    made_with: MadeWith
    record: VersionRecord
    problem: Problem
    plan: CleaningPlan
    folder: Path
    tables_root: Path


@dataclass(frozen=True)
class Workshop:
    """Where and with what a version is made again.

    scratch: an empty folder that the caller removes. size: rows a batch. searching: told how far the search is.
    """

    scratch: Path
    runner: Runner
    size: BatchSize
    searching: Callable[[SearchProgress], None] = lambda _: None

    @property
    def models(self) -> Path:
        """What the paths of the models are relative to that are made here."""
        return self.scratch / "models"

    @property
    def tables(self) -> Path:
        """The same of tables."""
        return self.scratch / "tables"

    def study_folder(self, key: str) -> Path:
        """The folder of the search."""
        return self.scratch / "studies" / key


class Remade:
    """Each of a version's steps, made when it is first asked for from what is recorded of the steps before it."""

    def __init__(self, version: StoredVersion, workshop: Workshop):
        self._version = version
        self._workshop = workshop

    @cached_property
    def _raw(self) -> "ds.Dataset":
        """The recorded batches, labels that came later included."""
        return open_tables(self._version.tables_root, [batch.table for batch in self._version.record.window.batches])

    @cached_property
    def problem(self) -> Problem:
        """The problem. The rule of the holdout is drawn once in a pipeline's life: it is taken as it is recorded."""
        settings = self._version.made_with
        return detect_problem(
            self._raw,
            name=settings.name,
            target=settings.target,
            columns=settings.columns,
            config=settings.problem,
            kept_rule=self._version.problem.holdout,
        )

    @cached_property
    def plan(self) -> CleaningPlan:
        """The cleaning plan."""
        return plan_of(self._raw, self._version.problem, keep_type=self._version.made_with.columns.roles)

    @cached_property
    def clean(self) -> CleanTable:
        """The clean training rows, in the workshop."""
        version = self._version
        return clean_rows_of(
            self._raw,
            version.record.window,
            version.problem,
            version.plan,
            root=self._workshop.tables,
            folder=str(PurePosixPath(version.record.clean_table.path).parent),
            size=self._workshop.size,
        )

    @cached_property
    def clean_rows(self) -> "ds.Dataset":
        """The same, to read."""
        return open_tables(self._workshop.tables, [self.clean.table])

    @cached_property
    def study(self) -> Study:
        """The search, with as many fits side by side as the recorded one had."""
        version, settings, record = self._version, self._version.made_with, self._version.record
        return run_study(
            self._workshop.study_folder(record.study.key),
            self.clean_rows,
            version.problem,
            settings.tuning,
            self._workshop.runner,
            roles=roles_after(version.plan, version.problem.feature_roles()),
            seed=settings.seed,
            cores=record.cores,
            memory_mb=record.memory_mb,
            device=record.device,
            recipe=settings.features.recipe(),
            report=self._workshop.searching,
        )

    @cached_property
    def model(self) -> TrainedModel:
        """The model of the search."""
        version, settings, record = self._version, self._version.made_with, self._version.record
        clean = CleanTable(table=record.clean_table, window=record.window, problem=version.problem, plan=version.plan)
        return train_model(
            TrialStore(self._workshop.study_folder(record.study.key)),
            self.study,
            model_facts(settings.name, clean),
            self._workshop.runner,
            root=self._workshop.models,
            folder=settings.name,
            seconds=settings.tuning.time_budget_seconds - self.study.seconds,
            memory_mb=record.memory_mb,
            prefer=settings.tuning.prefer,
            ensemble=settings.tuning.ensemble,
            deterministic=settings.tuning.deterministic,
        )

    @property
    def model_folder(self) -> Path:
        """Where the model lies."""
        return self._workshop.models / self.model.path
