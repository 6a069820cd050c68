"""The command alerts: a test message to every channel that hears of a pipeline."""

from typing import Any

from automl_assets.core.errors import AutoMLError
from automl_assets.core.records import Notice
from automl_assets.monitoring.notify import message_of, send_within
from automl_assets.pipeline_files import load_named
from automl_assets.platform_file import load_platform
from resources.settings import Settings


def send_test(name: str) -> dict[str, Any]:
    """Which channels took a message of the highest severity; what was wrong with the others.

    Raises:
        UnknownNameError: there is no such pipeline.
        ConfigError: its file or platform.yaml is wrong.
    """
    settings = Settings.from_environment()
    config = load_named(name, settings.pipelines)
    notice = Notice(
        pipeline=name,
        severity="critical",
        title="a test message",
        body=f"Sent by {settings.actor} with `automl alerts {name}`. Nothing is wrong.",
        key="test",
    )
    found: list[dict[str, Any]] = []
    for one in load_platform(settings.pipelines).routing([config]).addressees(notice):
        try:
            send_within(one.channel, message_of(notice), one.channel.timeout_seconds)
        except AutoMLError as error:
            found.append({"name": one.name, "ok": False, "message": f"{error.message} {error.remedy or ''}".strip()})
        else:
            found.append({"name": one.name, "ok": True, "message": "took the message"})
    return {"pipeline": name, "channels": found}


def print_alerts(document: dict[str, Any]) -> None:
    """A verdict a channel."""
    from automl_assets.cli.display import out

    console = out()
    if not document["channels"]:
        console.print("No channel hears of this pipeline: see monitoring.alerts.", markup=False)
    for found in document["channels"]:
        mark = "[green]✓[/]" if found["ok"] else "[red]✗[/]"
        console.print(f"{mark} [bold]{found['name']}[/]  ", end="")
        console.print(found["message"], markup=False)
