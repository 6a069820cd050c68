"""Who hears of what."""

from datetime import UTC, datetime
from typing import Any

import pytest

from automl_assets.core.evidence import Severity
from automl_assets.core.records import Notice
from automl_assets.monitoring.alerts import Channel
from automl_assets.monitoring.alerts.log import Log
from automl_assets.monitoring.alerts.webhook import Webhook
from automl_assets.monitoring.routing import Route, Routing, identity

HOOK = Webhook.model_validate({"url": "https://a.example/1"})
OTHER = Webhook.model_validate({"url": "https://b.example/2"})


def notice(pipeline: str = "churn", severity: Severity = "warning") -> Notice:
    return Notice(pipeline, severity, "title", "body", "k", at=datetime(2026, 11, 21, tzinfo=UTC))


def route(pipelines: str, *channels: Channel, least: str = "info") -> Route:
    return Route.model_validate({"pipelines": pipelines, "least_severity": least, "channels": list(channels)})


@pytest.mark.parametrize(
    ("pipeline", "severity", "heard"),
    [
        ("churn", "info", {"log": Log()}),
        ("churn", "critical", {"log": Log()}),
        ("sales_eu", "info", {"webhook": HOOK}),
        ("sales_eu", "warning", {"webhook": HOOK, "webhook 2": OTHER}),
        ("sales_us", "info", {}),
        ("sales_us", "critical", {"webhook": OTHER, "webhook 2": HOOK}),
        ("nobody", "critical", {}),
    ],
)
def test_a_notice_goes_to_its_pipelines_channels_and_the_routes_that_match(
    pipeline: str, severity: Severity, heard: dict[str, Channel]
) -> None:
    routing = Routing(
        {"churn": [Log()], "sales_eu": [HOOK]},
        [route("sales_*", OTHER, HOOK, least="warning"), route("sales_eu", OTHER, least="warning")],
    )
    found = routing.addressees(notice(pipeline=pipeline, severity=severity))
    assert {one.name: one.channel for one in found} == heard


def test_a_channels_name_is_the_same_at_every_severity() -> None:
    picky = Webhook.model_validate({"url": "https://c.example", "least_severity": "critical"})
    routing = Routing({"churn": [picky, HOOK]})
    assert [one.name for one in routing.addressees(notice(severity="info"))] == ["webhook 2"]
    assert [one.name for one in routing.addressees(notice(severity="critical"))] == ["webhook", "webhook 2"]


def test_channels_are_one_only_if_their_secrets_are_too() -> None:
    settings: dict[str, Any] = {"url": "https://a.example", "secret": "x"}
    same = [Webhook.model_validate(settings) for _ in range(2)]
    assert identity(same[0]) == identity(same[1])
    assert identity(same[0]) != identity(Webhook.model_validate({**settings, "secret": "y"}))
