"""`platform.yaml`: the defaults without it, and each fault with its line, without quoting secrets."""

from pathlib import Path

import pytest

from automl_assets.core.errors import ConfigError
from automl_assets.core.records import Notice
from automl_assets.ingestion.sources.csv import Csv
from automl_assets.learn.features import Recipe
from automl_assets.monitoring.alerts.webhook import Webhook
from automl_assets.pipeline import PipelineConfig
from automl_assets.platform_file import PlatformConfig, load_platform, named_features, parse_platform

TEXT = """llm: {models: [a], anything: {goes: here}}
alerts:
  routes:
    - pipelines: "sales_*"
      least_severity: warning
      channels:
        - {type: log}
        - type: webhook
          url: "{{ env.HOOK }}"
"""


def test_what_holds_across_pipelines_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOOK", "https://a.example/s3cret")
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
    (second / "platform.yaml").write_text(TEXT)
    platform = load_platform([tmp_path / "nowhere", first, second])
    (route,) = platform.alerts.routes
    assert (route.pipelines, route.least_severity) == ("sales_*", "warning")
    assert [channel.type for channel in route.channels] == ["log", "webhook"]
    assert route.channels[1] == Webhook.model_validate({"url": "https://a.example/s3cret"})
    assert platform.llm == {"models": ["a"], "anything": {"goes": "here"}}
    assert "s3cret" not in platform.model_dump_json()
    (first / "platform.yaml").write_text("alerts: {routes: []}")
    assert load_platform([first, second]) == PlatformConfig()


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "---\n"])
def test_without_the_file_or_with_an_empty_one_the_defaults_hold(text: str, tmp_path: Path) -> None:
    assert load_platform([tmp_path]) == PlatformConfig()
    assert parse_platform(text, where="platform.yaml") == PlatformConfig()
    assert PlatformConfig().alerts.routes == []


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        ("- a\n", 1, "This is no mapping."),
        ("\n\njust words\n", 3, "This is no mapping."),
        ("alert: {}\n", 1, "Unknown key 'alert'. Did you mean 'alerts'? Known here: alerts, features, llm."),
        ("features: {Robust!: {}}\n", 1, "features.Robust!: String should match pattern"),
        ("features:\n  auto: {scaler: none}\n", 1, "features: 'auto' is what the platform does on its own"),
        (
            "features:\n  own:\n    scaler: robsut\n",
            3,
            "features.own.scaler: Unknown scaler 'robsut'. Did you mean 'rob",
        ),
        ("features:\n  own:\n    scalar: robust\n", 3, "Unknown key 'features.own.scalar'. Did you mean 'scaler'?"),
        ("features:\n  own: {custom: [os.system]}\n", 2, "features.own.custom: 'os.system' is no import path"),
        ("features:\n  own: {pipeline: trees}\n", 2, "Unknown key 'features.own.pipeline'."),
        ("llm: {}\nalerts:\n  routs: []\n", 3, "Unknown key 'alerts.routs'. Did you mean 'routes'?"),
        ("alerts: {}\nalerts: {}\n", 2, "The key 'alerts' stands twice."),
        ("alerts: [\n", 2, "This is not valid YAML: "),
        ("llm: 3\n", 1, "llm: Input should be a valid dictionary"),
        ("alerts:\n  routes:\n    - pipelines: a\n", 3, "alerts.routes.0.channels is missing."),
        ("alerts:\n  routes:\n    - channels: []\n", 3, "alerts.routes.0.channels: List should have at least 1 item"),
        (
            "alerts:\n  routes:\n    - {channels: [{type: log}]}\n    - channels: [{type: log}]\n      pipline: a\n",
            5,
            "Unknown key 'alerts.routes.1.pipline'. Did you mean 'pipelines'?",
        ),
        (
            "alerts:\n  routes:\n    - least_severity: bad\n      channels: [{type: log}]\n",
            3,
            "alerts.routes.0.least_severity: Input should be 'info', 'warning' or 'critical' (it is 'bad').",
        ),
        (
            "alerts:\n  routes:\n    - channels:\n        - {type: log}\n        - {type: slak}\n",
            5,
            "alerts.routes.0.channels.1: Unknown alert channel 'slak'. Did you mean 'slack'?",
        ),
        ("llm:\n  key: '{{ env.NOT_SET_ANYWHERE }}'\n", 2, "The environment variable NOT_SET_ANYWHERE is not set."),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text: str, line: int, told: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_platform(text, where="platform.yaml")
    assert str(refused.value).startswith(f"platform.yaml:{line}: {told}")


def test_a_fault_of_a_channel_quotes_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK", "http://a.example/s3cret")
    with pytest.raises(ConfigError, match="it is not https") as refused:
        parse_platform(TEXT, where="platform.yaml")
    assert str(refused.value).startswith("platform.yaml:8: alerts.routes.0.channels.1: ")
    assert "s3cret" not in str(refused.value)


def test_a_pipeline_is_heard_of_by_its_own_channels_and_the_routes() -> None:
    text = "alerts: {routes: [{pipelines: 'c*', channels: [{type: slack, url: 'https://hooks.slack.com/services/x'}]}]}"
    source = Csv(path="a.csv")
    pipelines = [PipelineConfig(name=name, source=source, target="y") for name in ("churn", "ames")]
    routing = parse_platform(text, where="platform.yaml").routing(pipelines)
    heard = {
        config.name: [one.name for one in routing.addressees(Notice(config.name, "info", "t", "b", "k"))]
        for config in pipelines
    }
    assert heard == {"churn": ["log", "slack"], "ames": ["log"]}


def test_configurations_of_features_are_read_whatever_else_the_file_lacks(tmp_path: Path) -> None:
    (tmp_path / "platform.yaml").write_text(f"features:\n  house: {{scaler: robust, pairs: 3}}\n{TEXT}")
    assert named_features([tmp_path / "nowhere", tmp_path]) == {"house": Recipe(scaler="robust", pairs=3)}
    with pytest.raises(ConfigError, match="environment variable HOOK is not set"):
        load_platform([tmp_path])
    assert named_features([tmp_path / "nowhere"]) == {}


def test_a_file_that_can_not_be_read_says_so(tmp_path: Path) -> None:
    (tmp_path / "platform.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="The file can't be read"):
        load_platform([tmp_path])
