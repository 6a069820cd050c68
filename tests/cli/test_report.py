"""`automl report` and `automl predict --explain`, on a real MLflow with a version that was trained here."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.csv as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from automl_assets.cli import models, report
from automl_assets.cli.app import run
from automl_assets.cli.display_models import print_predicted, print_report
from automl_assets.core.errors import ConfigError, RegistryError, UnknownNameError
from automl_assets.core.values import Batch, QualityReport, TableHandle, TrainingWindow
from automl_assets.evaluation.reference import build_reference
from automl_assets.registration.register import publish_candidate
from resources.model_registry import ModelRegistry
from resources.platform_database import close_all
from resources.table_store import TableStore
from tests.registration.test_register import PROVENANCE, a_candidate
from tests.training.small_models import Small, raw_table

YAML = """type: automl_assets.AutoMLPipeline
attributes:
  name: {name}
  source: {{type: csv, path: small.csv}}
  target: y
  columns: {{private: [income]}}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One home for the file: MLflow takes seconds to start. Tests run in order."""
    root = tmp_path_factory.mktemp("report")
    for name in ("small", "other"):
        (root / "pipelines" / name).mkdir(parents=True)
        (root / "pipelines" / name / "defs.yaml").write_text(YAML.format(name=name))
    yield root / "home"
    close_all()


@pytest.fixture(scope="module")
def registry(home: Path, binary: Small) -> ModelRegistry:
    """Version 1 with everything, and version 2 without a reference."""
    registry = ModelRegistry(home=str(home))
    remembered = home / "remembered"
    train = binary.raw.select(["age", "income", "city"])
    build_reference(ds.dataset(train), binary.problem.feature_roles(), remembered, private=["income"])
    candidate = a_candidate(binary)
    yaml = "attributes: {columns: {private: [city]}, monitoring: {engine: own, thresholds: {domain_auc: 0.55}}}\n"
    publish_candidate(registry, replace(candidate, remembered=remembered), replace(PROVENANCE, config_yaml=yaml))
    publish_candidate(registry, candidate, replace(PROVENANCE, fingerprint="2"))
    return registry


@pytest.fixture(autouse=True)
def _machine(home: Path, registry: ModelRegistry, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AUTOML_HOME", str(home))
    monkeypatch.setenv("AUTOML_PIPELINES", str(home.parent / "pipelines"))
    monkeypatch.setenv("DAGSTER_HOME", str(home / "dagster"))
    monkeypatch.chdir(tmp_path)


def store_records(home: Path, small: Small) -> None:
    """What the run of version 1 leaves on this machine."""
    store = TableStore(home=str(home))
    handle = TableHandle(path="t", digest="batch-digest", rows=400, size_bytes=1, columns=())
    quality = QualityReport(rows=400, columns=(), score=91.0, components={}, findings=())
    for asset, value in {
        "trained_model": small.model,
        "tuning_study": small.study,
        "training_window": TrainingWindow(batches=(Batch(key="all", table=handle),)),
        "quality_report": quality,
    }.items():
        store.save("small", asset, "all", value, "f")


# ---- report ------------------------------------------------------------------------------------------------------


def test_without_a_champion_the_versions_are_named() -> None:
    with pytest.raises(RegistryError, match=r"small has no champion. Name a version \(2, 1\), or promote one"):
        report.write_report("small", None, None)


def test_without_a_version_the_next_command_is_named() -> None:
    with pytest.raises(RegistryError, match=r"other has no registered version yet. Train it with `automl run other`"):
        report.write_report("other", None, None)


@pytest.mark.parametrize(
    ("name", "version", "told"),
    [
        ("smal", None, "Unknown pipeline 'smal'.*Did you mean 'small'"),
        ("small", "9", "Unknown version of small '9'.*Known: 1, 2"),
        ("other", "1", "Unknown version of other '1'.*There is no version of other yet"),
    ],
)
def test_unknown_names_are_told_with_the_nearest(name: str, version: str | None, told: str) -> None:
    with pytest.raises(UnknownNameError, match=told):
        report.write_report(name, version, None)


def test_a_page_lies_here_by_default_and_says_what_it_lacks() -> None:
    told = report.write_report("small", "2", None)

    page = Path("small-2.html").read_text()
    assert (told["pipeline"], told["version"], told["out"]) == ("small", "2", "small-2.html")
    assert told["size_bytes"] == len(page.encode())
    assert len(told["missing"]) == 6
    assert "small, version 2" in page
    assert "<h2>Drift reference</h2>" not in page


def test_the_champions_page_has_everything(home: Path, registry: ModelRegistry, binary: Small) -> None:
    registry.set_alias("small", "champion", "1")
    store_records(home, binary)

    told = report.write_report("small", None, Path("page.html"))

    assert told["version"] == "1"
    assert [what for what in told["missing"] if "reliability" not in what] == []
    page = Path("page.html").read_text()
    for words in ("91.0 of 100", "xgboost-0", "batch-digest", "<h2>Drift reference</h2>", "domain auc 0.55", "lock"):
        assert words in page, words


def test_columns_that_are_or_were_private_have_no_values_on_the_page() -> None:
    report.write_report("small", "1", Path("page.html"))

    page = Path("page.html").read_text()
    for city in ("Bern", "Basel", "Chur"):
        assert city not in page
    assert page.count("values are never shown") == 3  # income now, city then, id always


def test_an_output_that_can_not_be_written_is_refused_first() -> None:
    with pytest.raises(ConfigError, match="can't be written there"):
        report.write_report("small", "1", Path("no/such/folder/page.html"))


def test_the_command_prints_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["report", "small", "--out", "page.html", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["out"] == "page.html"

    assert run(["report", "smal", "--json"]) == 2
    assert "Did you mean 'small'" in json.loads(capsys.readouterr().out)["error"]["remedy"]


def test_people_read_where_the_page_is(capsys: pytest.CaptureFixture[str]) -> None:
    print_report({"out": "a[b].html", "pipeline": "small", "version": "1", "missing": ["the leaderboard"]})

    assert capsys.readouterr().out == "Wrote a[b].html: small version 1.\nNot on the page: the leaderboard\n"


# ---- predict --explain -------------------------------------------------------------------------------------------


def predicted(explain: int, rows: int = 20) -> dict[str, Any]:
    pc.write_csv(raw_table("binary", rows=rows, seed=5), "new.csv")
    return models.predict("small", Path("new.csv"), Path("out.parquet"), explain)


def test_the_first_rows_are_explained_beside_the_predictions() -> None:
    told = predicted(3)

    lines = Path("out.parquet.explanations.jsonl").read_text().splitlines()
    assert told["explanations_out"] == "out.parquet.explanations.jsonl"
    assert [json.loads(line) for line in lines] == told["explanations"]
    assert told["explanations_left_out"] == 0
    probabilities = pq.read_table("out.parquet").column("probability_yes").to_pylist()
    for i, one in enumerate(told["explanations"]):
        assert (one["row"], one["class"]) == (i, "yes")
        assert one["output"] == pytest.approx(probabilities[i], abs=1e-5)
        total = one["base"] + sum(c["contribution"] for c in one["contributions"])
        assert total == pytest.approx(one["output"], abs=1e-4)


def test_private_values_are_not_in_an_explanation() -> None:
    (one,) = predicted(1)["explanations"]

    values = {c["column"]: c["value"] for c in one["contributions"]}
    assert values["income"] is None
    assert values["city"].strip() in ("Bern", "Basel", "Chur")


def test_training_rows_are_the_background_where_they_are_kept(home: Path, binary: Small) -> None:
    path = TableStore(home=str(home)).tables_root / binary.load().card.reference
    path.parent.mkdir(parents=True, exist_ok=True)
    before = predicted(1)["explanations"][0]["base"]
    train = binary.load().clean(binary.raw)
    pq.write_table(train, path)

    after = predicted(1)["explanations"][0]["base"]

    assert before != after


@pytest.mark.parametrize(("explain", "rows", "explained"), [(0, 20, None), (50, 4, 4)])
def test_as_many_rows_are_explained_as_there_are(explain: int, rows: int, explained: int | None) -> None:
    told = predicted(explain, rows)

    assert (len(told["explanations"]) if "explanations" in told else None) == explained
    assert Path("out.parquet.explanations.jsonl").exists() == (explained is not None)


def test_people_read_what_moved_the_first_rows(capsys: pytest.CaptureFixture[str]) -> None:
    moved = [
        {"column": "age", "value": "[b]", "contribution": 0.25},
        {"column": "pay", "value": None, "contribution": -1},
    ]
    print_predicted(
        {"out": "o.csv", "rows": 2, "pipeline": "p", "version": "1", "missing_columns": [], "extra_columns": [],
         "unseen": {}, "explanations_out": "o.csv.explanations.jsonl", "explanations_left_out": 1,
         "explanations": [{"row": 0, "class": "yes", "base": 0.3, "output": 0.55, "contributions": moved}]}
    )  # fmt: skip

    shown = capsys.readouterr().out
    for words in ("0.55", "age = [b]: +0.25, pay: -1", "did not suffice for 1 rows", "o.csv.explanations.jsonl"):
        assert words in shown
