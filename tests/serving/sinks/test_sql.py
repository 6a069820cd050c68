from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds
import pytest
from pydantic import SecretStr

from automl_assets.core.errors import StorageError
from automl_assets.serving.config import PredictionsConfig
from automl_assets.serving.sinks.sql import Sql
from tests.conftest import postgres_database
from tests.serving.sinks.predictions import predictions, rows_in


def a_sink(url: str, table: str = "predictions") -> Sql:
    return Sql(url=SecretStr(url), table=table)


def put(sink: Sql, table: pa.Table) -> int:
    return sink.write(ds.dataset(table), pipeline="churn", batch="monday", version="1").rows


@pytest.fixture
def lite(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'sink.db'}"


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    with postgres_database() as url:
        yield url


def run_sql(url: str, *statements: str) -> None:
    import sqlalchemy as sa

    engine = sa.create_engine(url, poolclass=sa.pool.NullPool)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(sa.text(statement))


# ---- PostgreSQL, for real ----------------------------------------------------------------------------------------


def test_in_postgresql_every_value_survives_and_writing_twice_changes_nothing(postgres: str) -> None:
    run_sql(postgres, "CREATE SCHEMA shop")
    sink = a_sink(postgres, "shop.predictions")

    for _ in range(2):
        assert put(sink, predictions(7_001)) == 7_001
        assert rows_in(sink) == sorted(predictions(7_001).to_pylist(), key=lambda row: row["prediction_id"])


def test_a_plain_postgresql_url_means_the_driver_that_is_installed(postgres: str) -> None:
    sink = a_sink(postgres.replace("postgresql+psycopg2", "postgresql"), "plain")

    assert put(sink, predictions()) == 3
    assert len(rows_in(a_sink(postgres, "plain"))) == 3


def test_names_that_postgresql_would_cut_are_refused(postgres: str) -> None:
    table = predictions().rename_columns({"probability_yes": "probability_" + "y" * 60})

    with pytest.raises(StorageError, match="postgresql has no column names of more than 63 bytes: probability_y"):
        put(a_sink(postgres, "long_names"), table)


def test_a_value_that_postgresql_refuses_is_not_repeated(postgres: str) -> None:
    run_sql(postgres, 'CREATE TABLE typed (LIKE shop.predictions INCLUDING ALL)',
            "ALTER TABLE typed ALTER COLUMN prediction TYPE integer USING 0")  # fmt: skip

    with pytest.raises(StorageError, match="did not take the predictions: ") as caught:
        put(a_sink(postgres, "typed"), predictions())
    assert "yes" not in str(caught.value)
    nul = predictions().drop_columns(["prediction"]).append_column("prediction", pa.array(["hush\0"] * 3))
    with pytest.raises(StorageError, match="did not take the predictions: ValueError"):
        put(a_sink(postgres, "plain"), nul)


# ---- tables that are there already -------------------------------------------------------------------------------


def test_a_column_that_the_table_lacks_is_refused_and_nothing_is_written(lite: str) -> None:
    sink = a_sink(lite)
    put(sink, predictions())
    more = predictions(version="2").append_column("probability_maybe", pa.array([0.5] * 3))

    with pytest.raises(StorageError, match="the table has no column probability_maybe; add it, or name another table"):
        put(sink, more)
    assert {row["model_version"] for row in rows_in(sink)} == {"1"}


def test_a_table_with_columns_of_its_own_takes_the_predictions(lite: str) -> None:
    sink = a_sink(lite)
    put(sink, predictions())
    run_sql(lite, "ALTER TABLE predictions ADD COLUMN seen_by TEXT", "UPDATE predictions SET seen_by = 'ada'")

    put(sink, predictions())

    assert {row["seen_by"] for row in rows_in(sink)} == {"ada"}


def test_a_table_without_the_key_is_refused(lite: str) -> None:
    names = ", ".join(f'"{name.replace(chr(34), 2 * chr(34))}" TEXT' for name in predictions().column_names)
    run_sql(lite, f"CREATE TABLE predictions ({names})".replace(":", r"\:"))

    with pytest.raises(StorageError, match="prediction_id is not the table's primary key"):
        put(a_sink(lite), predictions())


# ---- secrets -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ada:hunter2@127.0.0.1:1/shop",
        "postgresql://ada@127.0.0.1:1/shop?password=hunter2",
        "postgresql://ada:hunter2@127.0.0.1:many/shop",
        "sqlite:///no/such/folder/x.db",
    ],
)
def test_an_error_names_the_sink_and_the_table_and_no_secret(url: str) -> None:
    with pytest.raises(StorageError, match=r"table predictions: |predictions: The sink 'sql' did not") as caught:
        put(a_sink(url), predictions())

    assert "hunter2" not in f"{caught.value} {caught.value.as_json()}"
    assert caught.value.__suppress_context__, "a traceback would show the driver's words"
    assert "the predictions are stored" in str(caught.value)


def test_neither_the_fingerprint_nor_a_dump_holds_the_url() -> None:
    config = PredictionsConfig.model_validate(
        {"sink": {"type": "sql", "url": "postgresql://ada:hunter2@h/shop", "table": "t"}}
    )

    assert "hunter2" not in f"{config.model_dump(mode='json')} {config!r} {config.model_dump_json()}"


def test_a_template_is_kept_for_whoever_fills_it_in() -> None:
    given = {"sink": {"type": "sql", "url": "{{ env.SHOP_URL }}", "table": "t"}}

    config = PredictionsConfig.model_validate(given)

    assert config.model_dump(mode="json") == given
    assert config.located(Path("/x")) == config


@pytest.mark.parametrize(
    ("url", "located"),
    [
        ("sqlite:///out/p.db", "sqlite:////yaml/out/p.db"),
        ("sqlite:////abs/p.db", "sqlite:////abs/p.db"),
        ("sqlite:///:memory:", "sqlite:///:memory:"),
        ("postgresql://h/d", "postgresql://h/d"),
    ],
)
def test_a_relative_file_is_the_yaml_s(url: str, located: str) -> None:
    assert a_sink(url).located(Path("/yaml")) == a_sink(located)
