"""A family that allocates without end: only a memory limit ends its fits."""

import time
from typing import Any

from tests.tuning.never_fitted import NeverFitted


class Glutton(NeverFitted):
    order = 2

    @classmethod
    def fit(cls, params: Any, data: Any, shape: Any, limits: Any) -> Any:
        eaten = []
        while True:
            eaten.append(bytearray(b"x" * (8 << 20)))
            time.sleep(0.01)
