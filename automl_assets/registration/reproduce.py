"""A version made again and compared with what is recorded of it: "identical", or the first difference."""

import platform
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from automl_assets.core.errors import InputError, bounded
from automl_assets.core.fingerprint import digest_of_file
from automl_assets.core.progress import Progress, tell
from automl_assets.core.provenance import git_commit, installed_packages, package_version
from automl_assets.core.tables import iterate, open_tables
from automl_assets.core.values import Value
from automl_assets.ingestion.window_content import WindowContent, row_hashes
from automl_assets.registration.differences import Difference, of_models, of_predictions, of_studies
from automl_assets.registration.record import sources, step_versions
from automl_assets.registration.remake import Remade, StoredVersion, Workshop
from automl_assets.training.model import Model

if TYPE_CHECKING:
    import pyarrow.dataset as ds

MOST_HASH_CHARACTERS = 5_000  # what `register` keeps of the data's
MOST_LISTED = 6
BY_THE_CLOCK = (
    "Its search ended by the clock, and such a search tries as many configurations as it can: only the data, the "
    "problem, the cleaning plan and the clean table can be expected to be identical."
)


@dataclass(frozen=True)
class Reproduction:
    """The first difference, None where everything is identical; and what explains one, told before it."""

    difference: Difference | None
    notes: tuple[str, ...]


def reproduce(version: StoredVersion, workshop: Workshop) -> Reproduction:
    """Make a version again and compare each step with the record; the first difference ends it.

    Raises:
        InputError: a table that it was made from is gone.
        FitError: no family finished a fit this time.
    """
    found = next((difference for difference in _compared(version, workshop) if difference is not None), None)
    return Reproduction(found, notes_on(version))


def notes_on(version: StoredVersion) -> tuple[str, ...]:
    """What is another code, environment or kind of search than here and now, a sentence each."""
    tags, record = version.tags, version.record
    made_by = _code(tags.get("code_version", "?"), tags.get("git_commit", ""))
    this = _code(package_version(), git_commit())
    found = [f"It was made by {made_by}, this is {this}."] if made_by != this else []
    steps = _moved(record.steps, step_versions())
    found += [f"Since then these steps' code changed: {bounded(steps, MOST_LISTED)}."] if steps else []
    files = [change.split()[0] for change in _moved(record.sources, sources())]
    found += [f"Since then these files changed: {bounded(files, MOST_LISTED)}."] if files else []
    packages = _moved(record.packages, installed_packages())
    found += [f"Other packages are installed: {bounded(packages, MOST_LISTED)}."] if packages else []
    built_on, here = f"{record.python} on {record.machine}", f"{platform.python_version()} on {platform.machine()}"
    found += [f"It was made with Python {built_on}, this is {here}."] if built_on != here else []
    if not record.study.complete:
        found.append("Its search was ended early by a person; the one that is made anew is not.")
    return (*found, *([] if record.deterministic else [BY_THE_CLOCK]))


def _code(version: str, commit: str) -> str:
    return f"automl-assets {version}" + (f" at commit {commit}" if commit else "")


def _moved(recorded: Mapping[str, str], here: Mapping[str, str]) -> list[str]:
    """The names whose versions differ, with both."""
    names = sorted({*recorded, *here})
    return [
        f"{name} {recorded.get(name, 'absent')} → {here.get(name, 'absent')}"
        for name in names
        if recorded.get(name) != here.get(name)
    ]


def _compared(version: StoredVersion, workshop: Workshop) -> Iterator[Difference | None]:
    """Each step's difference, or None, in the order of the steps; each is made when its turn comes."""
    anew = Remade(version, workshop)
    require_tables(version)

    def step(name: str, compare: Callable[[], Difference | None]) -> Difference | None:
        begun = time.monotonic()
        tell(Progress(version.name, name, "started"))
        found = compare()
        tell(Progress(version.name, name, "failed" if found else "done", "", time.monotonic() - begun))
        return found

    yield step("training_window", lambda: of_data(version))
    yield step("problem", lambda: of_values("The problem", version.problem, anew.problem))
    yield step("cleaning_plan", lambda: of_values("The cleaning plan", version.plan, anew.plan))
    yield step("clean_table", lambda: of_clean_tables(version, anew))
    yield step("tuning_study", lambda: of_searches(version, anew))
    yield step("trained_model", lambda: of_trained_models(version, anew))
    yield step("predictions", lambda: of_stored_predictions(version, anew))


def require_tables(version: StoredVersion) -> None:
    """See that the tables that the version was made from are there.

    Raises:
        InputError: one is gone.
    """
    for batch in version.record.window.batches:
        path = version.tables_root / batch.table.path
        if not path.is_file():
            raise InputError(
                f"The table of batch {batch.key} that version {version.version} was made from is gone.",
                where=str(path),
                remedy="Restore the file, or train a new version with `automl run --force`.",
                code="missing_data",
            )


def of_data(version: StoredVersion) -> Difference | None:
    """The first batch whose table is not the recorded one; else the version's own list of hashes."""
    batches = version.record.window.batches
    for batch in batches:
        found = digest_of_file(version.tables_root / batch.table.path)
        if found != batch.table.digest:
            return Difference(f"The table of batch {batch.key}", batch.table.digest, found)
    hashes = ",".join(batch.table.digest for batch in batches)[:MOST_HASH_CHARACTERS]
    return Difference.between("The tag data_hashes", version.tags.get("data_hashes", ""), hashes)


def of_values(what: str, recorded: Value, made: Value) -> Difference | None:
    """The first part in which two values differ."""
    return Difference.between(what, *(value.model_dump(mode="json") for value in (recorded, made)))


def of_clean_tables(version: StoredVersion, anew: Remade) -> Difference | None:
    """Two clean tables by their digests. The same cells in other row groups, which follow the memory, are the same."""
    recorded, made = version.record.clean_table, anew.clean.table
    if recorded.digest == made.digest:
        return None
    if recorded.columns == made.columns and (version.tables_root / recorded.path).is_file():
        stored = open_tables(version.tables_root, [recorded])
        if recorded.digest == digest_of_file(version.tables_root / recorded.path) and _cells(stored) == _cells(
            anew.clean_rows
        ):
            return None
    return Difference("The digest of the clean table", recorded.digest, made.digest)


def _cells(rows: "ds.Dataset") -> str:
    """A digest of the rows' cells in order, whatever the row groups."""
    content = WindowContent()
    for batch in iterate(rows):
        content.add(row_hashes(batch))
    return content.digest


def of_searches(version: StoredVersion, anew: Remade) -> Difference | None:
    """What two searches tried; of one by the clock that is told after the score, which says more."""
    made = anew.study
    return of_studies(version.record.study, made) if version.record.deterministic else None


def of_trained_models(version: StoredVersion, anew: Remade) -> Difference | None:
    """Of a search by the clock the score, then what it tried; then the models' parts and files, and the tag."""
    record, model = version.record, anew.model
    if not record.deterministic:
        found = Difference.between(f"The out-of-fold {model.metric}", record.score, model.score)
        found = found or of_studies(record.study, anew.study)
        if found is not None:
            return found
    found = of_models(version.folder, anew.model_folder)
    return found or Difference.between("The tag model_sha256", version.tags.get("model_sha256", ""), model.digest)


def of_stored_predictions(version: StoredVersion, anew: Remade) -> Difference | None:
    """The first training row that the two models predict otherwise."""
    made = Model.load(anew.model_folder, digest=anew.model.digest)
    return of_predictions(Model.load(version.folder, digest=version.tags.get("model_sha256")), made, anew.clean_rows)
