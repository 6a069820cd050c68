# Arrow's compute functions are made when the module loads, so a type checker can't see them.
from typing import Any

def __getattr__(name: str) -> Any: ...
