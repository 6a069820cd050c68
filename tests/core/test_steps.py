"""A step's fingerprint: what it reads matters, what it doesn't read does not."""

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from automl_assets.core.config import Section, only_for_now
from automl_assets.core.fingerprint import digest_of
from automl_assets.core.steps import Step, versions_of
from automl_assets.core.values import Column


@dataclass(frozen=True)
class Settings:
    name: str = "churn"
    seed: int = 0
    sections: dict[str, Any] = field(default_factory=lambda: {"tuning": {"budget": 1}, "owner": "me"})

    def section(self, *names: str) -> dict[str, Any]:
        return {name: self.sections[name] for name in names}


STEP = Step("tuning_study", inputs=("clean_table",), sections=("tuning",), code_version="1")
VERSIONS = {"clean_table": "v1", "unrelated": "x"}


def test_what_a_step_does_not_read_leaves_its_fingerprint() -> None:
    same = STEP.fingerprint(Settings(), VERSIONS)
    assert STEP.fingerprint(Settings(), {"clean_table": "v1"}) == same
    assert STEP.fingerprint(Settings(sections={"tuning": {"budget": 1}, "owner": "you"}), VERSIONS) == same


@pytest.mark.parametrize(
    ("step", "settings", "versions"),
    [
        (STEP, Settings(name="other"), VERSIONS),
        (STEP, Settings(seed=1), VERSIONS),
        (STEP, Settings(sections={"tuning": {"budget": 2}}), VERSIONS),
        (STEP, Settings(), {"clean_table": "v2"}),
        (replace(STEP, code_version="2"), Settings(), VERSIONS),
        (replace(STEP, name="problem"), Settings(), VERSIONS),
    ],
)
def test_what_a_step_reads_changes_its_fingerprint(step: Step, settings: Settings, versions: dict[str, str]) -> None:
    assert step.fingerprint(settings, versions) != STEP.fingerprint(Settings(), VERSIONS)


def test_a_partitioned_input_s_version_is_the_digest_of_its_partitions() -> None:
    a, b = Column(name="a", type="text"), Column(name="b", type="text")
    versions = versions_of({"whole": a, "parts": {"2": b, "1": a}})
    assert versions == {
        "whole": a.data_version(),
        "parts": digest_of({"1": a.data_version(), "2": b.data_version()}),
    }
    assert versions == versions_of({"whole": a, "parts": {"1": a, "2": b}})


def test_a_section_is_closed_and_frozen() -> None:
    assert Section.model_config.get("extra") == "forbid"
    assert Section.model_config.get("frozen") is True


def test_a_setting_for_later_is_refused_with_a_sentence() -> None:
    assert only_for_now(None, None, "labels") is None
    with pytest.raises(ValueError, match="labels is not supported by this version; leave it out"):
        only_for_now({"x": 1}, None, "labels")
