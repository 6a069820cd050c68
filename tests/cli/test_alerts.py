"""`automl alerts` tells each channel of a pipeline a test message, and says which took it."""

from pathlib import Path

import pytest

from automl_assets.cli.alerts import print_alerts, send_test
from automl_assets.core.errors import UnknownNameError
from tests.monitoring.alerts.servers import Endpoint, serving

PIPELINE = """type: automl_assets.AutoMLPipeline
attributes:
  name: churn
  source: {{type: csv, path: churn.csv}}
  target: Churn
  monitoring: {{alerts: {alerts}}}
"""


def write(folder: Path, alerts: str) -> None:
    (folder / "churn").mkdir()
    (folder / "churn" / "defs.yaml").write_text(PIPELINE.format(alerts=alerts))


def test_each_channel_is_told_and_the_refusal_of_one_is_shown_without_its_url(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AUTOML_PIPELINES", str(tmp_path))
    monkeypatch.setenv("AUTOML_ACTOR", "ada")
    with serving(Endpoint()) as endpoint:
        monkeypatch.setenv("HOOK", endpoint.url())
        write(tmp_path, "[{type: webhook, url: '{{ env.HOOK }}', allow_http: true, least_severity: critical}]")
        (tmp_path / "platform.yaml").write_text(
            "alerts: {routes: [{channels: "
            "[{type: webhook, url: '{{ env.HOOK }}', allow_http: true, allow_private: true}]}]}"
        )
        document = send_test("churn")
    assert document == {
        "pipeline": "churn",
        "channels": [
            {
                "name": "webhook",
                "ok": False,
                "message": "127.0.0.1 resolves to a private address. Set `allow_private: true` if this is meant.",
            },
            {"name": "webhook 2", "ok": True, "message": "took the message"},
        ],
    }
    assert b"Sent by ada with `automl alerts churn`. Nothing is wrong." in endpoint.heard[0].body
    print_alerts(document)
    shown = capsys.readouterr().out
    assert "webhook 2  took the message" in shown
    assert "s3cret" not in shown


def test_a_pipeline_that_nobody_hears_of_or_that_is_not_there_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AUTOML_PIPELINES", str(tmp_path))
    write(tmp_path, "[]")
    print_alerts(send_test("churn"))
    assert capsys.readouterr().out == "No channel hears of this pipeline: see monitoring.alerts.\n"
    with pytest.raises(UnknownNameError, match="Unknown pipeline 'chrn'"):
        send_test("chrn")
