"""A family that sleeps for ever: only a deadline ends its fits."""

import time
from typing import Any

from tests.tuning.never_fitted import NeverFitted


class Sleeper(NeverFitted):
    order = 1

    @classmethod
    def fit(cls, params: Any, data: Any, shape: Any, limits: Any) -> Any:
        while True:
            time.sleep(60)
