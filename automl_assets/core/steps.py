"""The steps of a pipeline as data: what each reads, which settings matter to it, and when its code changed.

The assets are built from these, and `up to date` is decided from them without running anything.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from automl_assets.core.fingerprint import fingerprint
from automl_assets.core.values import Value


class SectionedConfig(Protocol):
    """What a step needs of a pipeline's configuration."""

    @property
    def name(self) -> str:
        """The pipeline's name."""
        ...

    @property
    def seed(self) -> int:
        """The pipeline's seed."""
        ...

    def section(self, *names: str) -> dict[str, Any]:
        """Some sections as JSON-able values."""
        ...


@dataclass(frozen=True)
class Step:
    """One asset of the graph.

    inputs: the assets whose versions enter the fingerprint. sections: the configuration that does. code_version:
    raised by hand when the same inputs would give another result. of_batch: a batch's, else the model's side.
    """

    name: str
    inputs: tuple[str, ...]
    sections: tuple[str, ...]
    code_version: str
    of_batch: bool = False

    def fingerprint(self, config: SectionedConfig, versions: Mapping[str, str]) -> str:
        """What identifies the step's result, given its inputs' versions."""
        return fingerprint(
            f"{config.name}/{self.name}",
            inputs={name: versions[name] for name in self.inputs},
            config=config.section(*self.sections),
            code_version=self.code_version,
            seed=config.seed,
        )


@dataclass(frozen=True)
class CheckSpec:
    """A check that an asset has: `blocking` when a failure stops what comes next."""

    name: str
    blocking: bool
    description: str


def versions_of(inputs: Mapping[str, Value | Mapping[str, Value]]) -> dict[str, str]:
    """Each input's data version; a partitioned input's is the digest of its partitions' versions."""
    from automl_assets.core.fingerprint import digest_of

    return {
        name: value.data_version()
        if isinstance(value, Value)
        else digest_of({key: part.data_version() for key, part in sorted(value.items())})
        for name, value in inputs.items()
    }
