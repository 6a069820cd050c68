"""The platform's errors as scikit-learn's callers expect them: wrong input is a `ValueError` too.

* AutoMLError
  x InputError
    + SchemaError       - TableValueError      (also a ValueError)
    + TargetError       - TargetValueError     (also a ValueError)
    + ConfigError       - ParameterValueError  (also a ValueError)
    + UnknownNameError  - NameValueError       (also a ValueError)
"""

from collections.abc import Iterator
from contextlib import contextmanager

from automl_assets.core.errors import ConfigError, InputError, SchemaError, TargetError, UnknownNameError


class TableValueError(SchemaError, ValueError):
    """X, or a column of it, can't be used."""


class TargetValueError(TargetError, ValueError):
    """y, or what goes with it a row, can't be used."""


class ParameterValueError(ConfigError, ValueError):
    """A parameter has a value that it can't have."""


class NameValueError(UnknownNameError, ValueError):
    """A parameter names something that there is not."""


_AS_VALUE_ERROR: tuple[tuple[type[InputError], type[InputError]], ...] = (
    (TargetError, TargetValueError),
    (ConfigError, ParameterValueError),
    (UnknownNameError, NameValueError),
    (InputError, TableValueError),
)


@contextmanager
def as_value_errors(where: str, names: dict[str, str]) -> Iterator[None]:
    """Raise what is wrong with the input as a `ValueError` that says where.

    Args:
        where: what was called, such as ``AutoML.fit``.
        names: what the caller calls a column that has another name inside.
    """
    try:
        yield
    except InputError as error:
        if isinstance(error, ValueError):
            raise type(error)(error.message, where=where, remedy=error.remedy, code=error.code) from error
        kind = next(twin for base, twin in _AS_VALUE_ERROR if isinstance(error, base))
        at = f"{where}, {names.get(error.where, error.where)}" if error.where and error.where != where else where
        raise kind(error.message, where=at, remedy=error.remedy, code=error.code) from error
