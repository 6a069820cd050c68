"""What a search was given of the machine, noted in its study's folder: part of what must be equal to repeat it."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from automl_assets.core.files import write_text

MACHINE_FILE = "machine.json"


@dataclass(frozen=True)
class Machine:
    """How many processors a search used, the MiB that its fits had together, and the device of those that may use one.

    Where work is counted, as many fits run side by side as there are processors, on a machine with fewer too.
    """

    cores: int
    memory_mb: float
    device: str = "cpu"

    def note(self, folder: Path) -> None:
        """Write it down; of a search that is resumed the last attempt counts, which goes through all fits again."""
        write_text(folder / MACHINE_FILE, json.dumps(asdict(self)))

    @classmethod
    def noted(cls, folder: Path) -> Self | None:
        """What `note` wrote, None where that is gone or was never written."""
        try:
            return cls(**json.loads((folder / MACHINE_FILE).read_text()))
        except (OSError, ValueError, TypeError):
            return None
