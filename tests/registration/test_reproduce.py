"""A version made again: identical, or what was tampered with is the first difference that is told."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from automl_assets.cleaning.apply import roles_after
from automl_assets.cleaning.training_rows import clean_rows_of, plan_of
from automl_assets.core.errors import InputError
from automl_assets.core.memory import BatchSize
from automl_assets.core.provenance import git_commit, package_version
from automl_assets.core.tables import open_tables, write_table
from automl_assets.core.values import Batch
from automl_assets.ingestion.window import window_from
from automl_assets.learn.runner import Runner
from automl_assets.problems.detect import detect_problem
from automl_assets.registration.record import MadeWith, VersionRecord
from automl_assets.registration.remake import StoredVersion, Workshop
from automl_assets.registration.reproduce import BY_THE_CLOCK, Reproduction, reproduce
from automl_assets.training.facts import model_facts
from automl_assets.training.train import train_model
from automl_assets.tuning.machine import Machine
from automl_assets.tuning.study import run_study
from automl_assets.tuning.trial_store import TrialStore
from tests.registration.test_differences import changed
from tests.training.small_models import MEMORY_MB, raw_table

ROWS = 65_536
NAME = "small"
TUNING = {"time_budget_seconds": 60, "max_trials": 3, "families": ["linear", "lightgbm"], "deterministic": True}
Change = Callable[[StoredVersion], StoredVersion]


def size() -> BatchSize:
    return BatchSize(ROWS, budget_mb=4_000)


def made(root: Path, runner: Runner, **tuning: Any) -> StoredVersion:
    """A version of 400 rows, made as the assets make one."""
    settings = MadeWith.of(
        {"attributes": {"name": NAME, "target": "y", "seed": 3, "columns": {"id": ["id"]}, "problem": {},
                        "features": {}, "tuning": {**TUNING, **tuning}}},
        where="here",
    )  # fmt: skip
    table = raw_table("binary")
    raw = write_table(table.to_batches(), table.schema, root / "tables", f"{NAME}/raw_table/all")
    window = window_from([Batch(key="all", table=raw)], [])
    dataset = open_tables(root / "tables", [raw])
    problem = detect_problem(dataset, name=NAME, target="y", columns=settings.columns, config=settings.problem)
    plan = plan_of(dataset, problem, keep_type=())
    clean = clean_rows_of(
        dataset, window, problem, plan, root=root / "tables", folder=f"{NAME}/clean_table/all", size=size()
    )
    study = run_study(
        root / "studies" / "study", open_tables(root / "tables", [clean.table]), problem, settings.tuning, runner,
        roles=roles_after(plan, problem.feature_roles()), seed=3, cores=2, memory_mb=4 * MEMORY_MB,
    )  # fmt: skip
    model = train_model(
        TrialStore(root / "studies" / "study"), study, model_facts(NAME, clean), runner, root=root / "models",
        folder=NAME, seconds=5.0, memory_mb=4 * MEMORY_MB, deterministic=settings.tuning.deterministic,
    )  # fmt: skip
    record = VersionRecord.of(
        clean, study, model.score, Machine(2, 4 * MEMORY_MB), deterministic=settings.tuning.deterministic
    )
    tags = {
        "code_version": package_version(), "git_commit": git_commit(), "data_hashes": raw.digest,
        "model_sha256": model.digest,
    }  # fmt: skip
    folder = root / "models" / model.path
    return StoredVersion(NAME, "1", tags, settings, record, problem, plan, folder, root / "tables")


@pytest.fixture(scope="module")
def version(runner: Runner, tmp_path_factory: pytest.TempPathFactory) -> StoredVersion:
    return made(tmp_path_factory.mktemp("version"), runner)


def again(version: StoredVersion, runner: Runner, scratch: Path) -> Reproduction:
    return reproduce(version, Workshop(scratch, runner, size()))


def test_a_version_is_identical_and_its_record_is_read_as_it_was_written(
    version: StoredVersion, runner: Runner, tmp_path: Path
) -> None:
    file = tmp_path / "reproduce.json"
    file.write_text(version.record.to_text())
    read = replace(version, record=VersionRecord.read(file))
    assert read == version

    found = again(read, runner, tmp_path / "scratch")

    assert (found.difference, found.notes) == (None, ())


def of_record(**changes: Any) -> Change:
    return lambda version: replace(version, record=version.record.model_copy(update=changes))


def other_parameter(version: StoredVersion) -> StoredVersion:
    trials = list(version.record.study.trials)
    trials[1] = trials[1].model_copy(update={"params": {**trials[1].params, "num_leaves": 5}})
    return of_record(study=version.record.study.model_copy(update={"trials": tuple(trials)}))(version)


def other_clean_table(version: StoredVersion) -> StoredVersion:
    return of_record(clean_table=version.record.clean_table.model_copy(update={"digest": "f" * 32}))(version)


def other_problem(version: StoredVersion) -> StoredVersion:
    return replace(version, problem=version.problem.model_copy(update={"train_rows": 7}))


def other_plan(version: StoredVersion) -> StoredVersion:
    return replace(version, plan=version.plan.model_copy(update={"steps": version.plan.steps[1:]}))


def other_hashes(version: StoredVersion) -> StoredVersion:
    return replace(version, tags={**version.tags, "data_hashes": "f" * 32})


def other_model_tag(version: StoredVersion) -> StoredVersion:
    return replace(version, tags={**version.tags, "model_sha256": "f" * 32})


def other_seed(version: StoredVersion) -> StoredVersion:
    return replace(version, made_with=version.made_with.model_copy(update={"seed": 4}))


@pytest.mark.parametrize(
    ("tamper", "what", "recorded"),
    [
        (other_hashes, "The tag data_hashes", "f" * 32),
        (other_problem, "The problem, at train_rows,", "7"),
        (other_plan, "The cleaning plan, at steps.1,", "nothing"),
        (other_clean_table, "The digest of the clean table", "f" * 32),
        (other_parameter, "The second configuration", "lightgbm-0"),
        (other_seed, "The first configuration", "linear-0"),
        (other_model_tag, "The tag model_sha256", "f" * 32),
    ],
)
def test_what_was_tampered_with_is_told(
    tamper: Change, what: str, recorded: str, version: StoredVersion, runner: Runner, tmp_path: Path
) -> None:
    found = again(tamper(version), runner, tmp_path).difference

    assert found is not None
    assert found.what == what
    assert found.recorded.startswith(recorded)
    assert found.made != found.recorded
    assert found.told() == f"{what} differs: recorded {found.recorded}, made anew {found.made}."


def test_a_changed_weight_is_told_by_its_member(version: StoredVersion, runner: Runner, tmp_path: Path) -> None:
    other = changed(version.folder, tmp_path / "other", weight=0.125)

    found = again(replace(version, folder=other), runner, tmp_path / "scratch").difference

    assert found is not None
    assert found.what.startswith("The weight of ")
    assert found.recorded == "0.125"


def test_another_code_and_environment_are_told_first_and_are_no_difference_by_themselves(
    version: StoredVersion, runner: Runner, tmp_path: Path
) -> None:
    packages = {**version.record.packages, "lightgbm": "1.0"}
    steps = {**version.record.steps, "trained_model": "0"}
    sources = {**version.record.sources, "tuning/portfolio.json": "0"}
    older = of_record(packages=packages, steps=steps, sources=sources, python="3.10.0")(version)
    older = replace(older, tags={**older.tags, "code_version": "0.0.9", "git_commit": "abc"})

    found = again(older, runner, tmp_path)

    assert found.difference is None
    code, step, file, package, python = found.notes
    assert code.startswith("It was made by automl-assets 0.0.9 at commit abc, this is automl-assets ")
    assert step.startswith("Since then these steps' code changed: trained_model 0 → ")
    assert file == "Since then these files changed: tuning/portfolio.json."
    assert package.startswith("Other packages are installed: lightgbm 1.0 → ")
    assert python.startswith("It was made with Python 3.10.0 on ")


def test_the_same_cells_in_other_row_groups_are_the_same_table(
    version: StoredVersion, runner: Runner, tmp_path: Path
) -> None:
    tables = tmp_path / "tables"
    shutil.copytree(version.tables_root, tables)
    recorded = version.record.clean_table
    rows = pq.read_table(tables / recorded.path)
    other = write_table(rows.to_batches(max_chunksize=50), rows.schema, tables, f"{NAME}/clean_table/all")
    assert other.digest != recorded.digest

    found = again(replace(of_record(clean_table=other)(version), tables_root=tables), runner, tmp_path / "scratch")

    # the card names the file of the training rows, so this is where the two differ: after every fit was the same
    assert found.difference is None or found.difference.what == "The model's model.json, at reference,"


def test_other_bytes_in_a_batch_are_told_and_a_missing_batch_is_an_error_with_a_remedy(
    version: StoredVersion, runner: Runner, tmp_path: Path
) -> None:
    tables = tmp_path / "tables"
    shutil.copytree(version.tables_root, tables)
    moved, (batch,) = replace(version, tables_root=tables), version.record.window.batches
    file = tables / batch.table.path
    file.write_bytes(file.read_bytes() + b"x")

    found = again(moved, runner, tmp_path / "scratch").difference

    assert found is not None
    assert (found.what, found.recorded) == ("The table of batch all", batch.table.digest)
    file.unlink()
    with pytest.raises(InputError, match="The table of batch all that version 1 was made from is gone") as raised:
        again(moved, runner, tmp_path / "scratch")
    assert (raised.value.code, raised.value.exit_code) == ("missing_data", 2)
    assert raised.value.remedy


def test_of_a_search_by_the_clock_the_score_is_compared_first(runner: Runner, tmp_path: Path) -> None:
    by_the_clock = made(tmp_path, runner, deterministic=False, max_trials=2)
    record = by_the_clock.record.model_copy(update={"score": 0.5})

    found = again(replace(by_the_clock, record=record), runner, tmp_path / "scratch")

    assert BY_THE_CLOCK in found.notes
    assert found.difference is not None
    assert (found.difference.what, found.difference.recorded) == ("The out-of-fold roc_auc", "0.5")


def test_a_record_of_another_shape_says_so(tmp_path: Path) -> None:
    file = tmp_path / "reproduce.json"
    for text in ("{", '{"format": 2}'):
        file.write_text(text)
        with pytest.raises(InputError, match="has another shape"):
            VersionRecord.read(file)
    with pytest.raises(InputError, match="The recorded configuration can't be read: target: "):
        MadeWith.of({"attributes": {"name": "x"}}, where="pipeline.yaml")
