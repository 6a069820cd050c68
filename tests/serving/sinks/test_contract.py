"""What every sink promises: a new file in `sinks/` is held to this, given its options and how to read it back."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow.dataset as ds
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from automl_assets.core.errors import StorageError
from automl_assets.serving.config import PredictionsConfig, sink_from
from automl_assets.serving.sinks import Sink, registry
from automl_assets.serving.sinks._base import FileSink, file_name
from tests.conftest import ROOT
from tests.serving.sinks.predictions import options_for, predictions, rows_in


@pytest.fixture(params=registry.names())
def sink(request: pytest.FixtureRequest, tmp_path: Path) -> Sink:
    made = sink_from({"type": request.param, **options_for(request.param, tmp_path)})
    assert isinstance(made, Sink)
    return made


def put(sink: Sink, rows: int = 3, *, version: str = "1", batch: str = "monday") -> None:
    table = predictions(rows, version=version, batch=batch)
    receipt = sink.write(ds.dataset(table), pipeline="churn", batch=batch, version=version)
    assert receipt.rows == rows
    assert receipt.where


def of_version(sink: Sink, version: str) -> list[dict]:
    return [row for row in rows_in(sink) if row["model_version"] == version]


def test_the_file_s_name_is_the_type(sink: Sink) -> None:
    assert type(sink) is registry.get(sink.type)


def test_it_is_frozen_closed_and_described(sink: Sink, tmp_path: Path) -> None:
    with pytest.raises(ValidationError):
        type(sink).model_validate({"type": sink.type, **options_for(sink.type, tmp_path), "surprise": 1})
    with pytest.raises(ValidationError):
        sink.type = "other"
    assert all(field.description for name, field in type(sink).model_fields.items() if name != "type")


def test_located_twice_is_located_once(sink: Sink, tmp_path: Path) -> None:
    assert sink.located(tmp_path).located(tmp_path / "elsewhere") == sink.located(tmp_path)


def test_every_value_survives_with_its_type(sink: Sink) -> None:
    put(sink)

    assert rows_in(sink) == predictions().to_pylist()
    assert {row["scored_at"].utcoffset().total_seconds() for row in rows_in(sink)} == {0.0}


def test_writing_twice_leaves_the_same_rows(sink: Sink) -> None:
    put(sink)
    first = rows_in(sink)
    put(sink)

    assert rows_in(sink) == first


def test_batches_lie_side_by_side(sink: Sink) -> None:
    put(sink, batch="monday")
    put(sink, 2, batch="tuesday")

    assert (len(rows_in(sink, "monday")), len(rows_in(sink, "tuesday"))) == (3, 2)


def test_a_new_version_s_predictions_of_a_batch_are_there_whole(sink: Sink) -> None:
    put(sink, version="1")
    put(sink, version="2")

    assert of_version(sink, "2") == predictions(version="2").to_pylist()


def test_more_rows_than_fit_a_piece_arrive_once_each(sink: Sink) -> None:
    put(sink, 12_345)

    assert len({row["prediction_id"] for row in rows_in(sink)}) == 12_345


def test_no_rows_are_no_error(sink: Sink) -> None:
    put(sink, 0)

    assert rows_in(sink) == []


def test_a_killed_write_leaves_what_was_there_and_the_next_one_works(sink: Sink, tmp_path: Path) -> None:
    put(sink, version="1")
    before = rows_in(sink)
    program = [sys.executable, "-m", "tests.serving.sinks.write_and_die"]
    document = json.dumps({"type": sink.type, **options_for(sink.type, tmp_path)})

    done = subprocess.run([*program, document], cwd=ROOT, check=False)

    assert done.returncode == -signal.SIGKILL
    assert rows_in(sink) == before
    put(sink, version="2")
    assert of_version(sink, "2") == predictions(version="2").to_pylist()
    assert not list(tmp_path.rglob(".partial-*"))


@pytest.mark.parametrize("name", [n for n in registry.names() if issubclass(registry.get(n), FileSink)])
def test_a_file_that_can_not_be_written_is_named(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    sink = sink_from({"type": name, "path": str(tmp_path / "file")})

    with pytest.raises(StorageError, match=rf"file/churn/monday\.{name}.*The sink '{name}' can't write its file"):
        put(sink)


@pytest.mark.parametrize(
    ("batch", "name"),
    [
        ("2024-01.csv", "2024-01.csv"),
        ("../../etc/passwd", "..%2F..%2Fetc%2Fpasswd"),
        ("..", "%2E%2E"),
        ("", ""),
        ("a b", "a%20b"),
    ],
)
def test_no_key_becomes_a_path(batch: str, name: str) -> None:
    assert file_name(batch) == name


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(max_size=300), min_size=2, max_size=2, unique=True))
def test_no_two_keys_share_a_file(keys: list[str]) -> None:
    names = [file_name(key) for key in keys]

    assert names[0] != names[1]
    assert all("/" not in name and len(name) < 250 for name in names)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"type": "cvs", "path": "x"}, "Unknown sink type 'cvs'. Did you mean 'csv'"),
        ({}, "Unknown sink type ''"),
        ({"type": "csv"}, "path: Field required; such a sink has type, path"),
        ({"type": "csv", "path": "x", "pth": 1}, "pth: no such setting"),
        ({"type": "sql", "url": "mysql://u:hunter2@h/d", "table": "t"}, "must start with sqlite:/// or postgresql://"),
        ({"type": "sql", "url": "sqlite:///x", "table": "t; DROP TABLE t"}, "table: String should match pattern"),
    ],
)
def test_a_wrong_setting_is_explained_without_its_value(given: dict, told: str) -> None:
    with pytest.raises(ValueError, match=told.replace("(", r"\(")) as caught:
        sink_from(given)
    assert "hunter2" not in str(caught.value)


def test_by_default_predictions_stay_in_the_store(tmp_path: Path) -> None:
    assert PredictionsConfig().sink is None
    assert PredictionsConfig().located(tmp_path) == PredictionsConfig()
