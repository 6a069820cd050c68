"""A registry that does not answer, or refuses, is told in a sentence."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from automl_assets.core.errors import RegistryError
from automl_assets.core.ports import Publication
from resources.model_registry import ModelRegistry


class Refusing(BaseHTTPRequestHandler):
    """Answers 403 to everything."""

    def do_GET(self) -> None:
        self.send_response(403)
        self.end_headers()

    def log_message(self, format: str, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def refusing() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Refusing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")


def test_a_server_that_is_gone_does_not_answer(tmp_path: Path) -> None:
    registry = ModelRegistry(home=str(tmp_path), tracking_uri="http://127.0.0.1:1")
    for ask in (registry.versions, registry.aliased):
        with pytest.raises(RegistryError) as failed:
            ask("churn")
        assert str(failed.value) == (
            "http://127.0.0.1:1: The model registry does not answer. Check MLFLOW_TRACKING_URI and that it runs."
        )


def test_a_server_that_refuses_is_quoted(refusing: str, tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match=r"The model registry refused: .*403"):
        ModelRegistry(home=str(tmp_path), tracking_uri=refusing).versions("churn")


def test_what_is_attached_to_a_version_is_shown_and_can_be_removed(tmp_path: Path) -> None:
    registry = ModelRegistry(home=str(tmp_path / "home"))
    model = tmp_path / "model.json"
    model.write_text("{}")
    info = registry.publish(Publication("churn", {"model": model}, {}, {}, {}, {}, ""))
    page = tmp_path / "week_1.html"
    page.write_text("<p>drifted</p>")

    url = registry.attach(info, page, "drift")

    assert url.endswith("/artifacts/drift/week_1.html")
    attached = tmp_path / "home" / "mlartifacts" / "churn" / info.run_id / "artifacts" / "drift" / page.name
    assert attached.read_text() == "<p>drifted</p>"
    for _ in range(2):  # what is gone is no error
        registry.detach(info, page.name, "drift")
        assert not attached.exists()
