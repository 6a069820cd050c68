"""What was learnt, as JSON: plain values, arrays as base64 with their shape, and plug-ins by their file's name."""

import base64
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar, Self

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, eq=False)
class Packed:
    """An array that is a value: equal by its bytes, and JSON as ``{"dtype", "shape", "base64"}``."""

    array: "np.ndarray"

    @classmethod
    def of(cls, values: Any, dtype: str) -> Self:
        """The values in a little-endian dtype: ``f2``, ``f4``, ``f8``, ``i4``, ``u4``."""
        import numpy as np

        return cls(np.ascontiguousarray(np.asarray(values).astype(f"<{dtype}")))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Packed) and self.to_json() == other.to_json()

    def __hash__(self) -> int:
        return hash((self.array.shape, self.array.tobytes()))

    def to_json(self) -> dict[str, Any]:
        """Its dtype, its shape and its bytes in base64."""
        text = base64.b64encode(self.array.tobytes()).decode("ascii")
        return {"dtype": self.array.dtype.str, "shape": list(self.array.shape), "base64": text}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        """The array that `to_json` described."""
        import numpy as np

        data = base64.b64decode(document["base64"])
        return cls(np.frombuffer(data, np.dtype(document["dtype"])).reshape(document["shape"]))


@dataclass(frozen=True)
class Stored:
    """A frozen value whose fields are JSON, packed arrays, or other stored values.

    Its `kind` is its file's name, which is its name in the folder's registry.
    """

    kind: ClassVar[str]

    def __init_subclass__(cls, **options: Any):
        super().__init_subclass__(**options)
        cls.kind = cls.__module__.rsplit(".", 1)[1]

    def to_json(self) -> dict[str, Any]:
        """Everything needed to rebuild it."""
        return {"kind": self.kind, **{field.name: _packed(getattr(self, field.name)) for field in fields(self)}}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        """The value that `to_json` described; keys that are no fields are ignored."""
        known = {field.name for field in fields(cls)}
        return cls(**{name: unpacked(value) for name, value in document.items() if name in known})


def _packed(value: Any) -> Any:
    if isinstance(value, Packed | Stored):
        return value.to_json()
    return [_packed(item) for item in value] if isinstance(value, tuple) else value


def unpacked(value: Any) -> Any:
    """Lists as tuples, packed arrays as arrays; the rest as it is."""
    if isinstance(value, list):
        return tuple(unpacked(item) for item in value)
    return Packed.from_json(value) if isinstance(value, dict) and "base64" in value else value
