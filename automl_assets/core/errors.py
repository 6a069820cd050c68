"""Every error that the platform raises on purpose.

* AutoMLError
  x InputError            the user can mend it in the table or the YAML: exit code 2
    + ConfigError         a YAML file or an option
    + SourceError         a file that is missing, empty, unreadable or not a table
    + SchemaError         columns that are not what was recorded
    + TargetError         a target that nothing can be learnt from
    + UnknownNameError    a name that nothing answers to, with the nearest that something does
  x JobError              the rest: exit code 1
    + BudgetError         time or memory ran out
    + FitError            no model could be fitted
    + StorageError        a stored file is missing, changed or of another format
    + RegistryError       the model registry refused or can't be reached
    + ProviderError       an outside service failed

An error says what is wrong (`message`), where (`where`) and what to do next (`remedy`).
"""

import difflib
from collections.abc import Iterable

MOST_NAMES_IN_A_MESSAGE = 12


class AutoMLError(Exception):
    """The base of all. `code` is stable and machine-readable; `exit_code` is the command line's."""

    code = "error"
    exit_code = 1

    def __init__(self, message: str, *, where: str | None = None, remedy: str | None = None, code: str | None = None):
        super().__init__(message)
        self.message = message
        self.where = where
        self.remedy = remedy
        if code is not None:
            self.code = code

    def __str__(self) -> str:
        return " ".join(part for part in (f"{self.where}:" if self.where else None, self.message, self.remedy) if part)

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.message, self.where, self.remedy, self.code))

    def as_json(self) -> dict[str, str | None]:
        """The object that `--json` prints on failure."""
        return {"code": self.code, "message": self.message, "where": self.where, "remedy": self.remedy}


def _rebuild(kind: type[AutoMLError], message: str, where: str | None, remedy: str | None, code: str) -> AutoMLError:
    return kind(message, where=where, remedy=remedy, code=code)


class InputError(AutoMLError):
    """Something the user can mend in the table or the YAML."""

    code = "input_error"
    exit_code = 2


class ConfigError(InputError):
    """A YAML file or an option that can't be understood."""

    code = "config_error"


class SourceError(InputError):
    """A source that is missing, empty, unreadable or not a table."""

    code = "source_error"


class SchemaError(InputError):
    """Columns that are not what was recorded or asked for."""

    code = "schema_error"


class TargetError(InputError):
    """A target that nothing can be learnt from."""

    code = "target_error"


class UnknownNameError(InputError):
    """A name that nothing answers to."""

    code = "unknown_name"


class JobError(AutoMLError):
    """A failure that no change of the table or the YAML would mend."""

    code = "job_error"


class BudgetError(JobError):
    """Time or memory ran out."""

    code = "budget_error"


class FitError(JobError):
    """No model could be fitted."""

    code = "fit_error"


class StorageError(JobError):
    """A stored file is missing, changed or of another format."""

    code = "storage_error"


class RegistryError(JobError):
    """The model registry refused or can't be reached."""

    code = "registry_error"


class ProviderError(JobError):
    """An outside service failed."""

    code = "provider_error"


def bounded(names: Iterable[str], most: int = MOST_NAMES_IN_A_MESSAGE) -> str:
    """The names as a readable list, cut after `most`: ``a, b, … and 3 more``."""
    listed = list(names)
    shown = ", ".join(listed[:most])
    return shown if len(listed) <= most else f"{shown}, … and {len(listed) - most} more"


def did_you_mean(name: str, known: Iterable[str]) -> str | None:
    """The known name that `name` was probably meant to be, or None."""
    by_lower = {candidate.lower(): candidate for candidate in known}
    near = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[near[0]] if near else None


def unknown_name(kind: str, name: str, known: Iterable[str], *, where: str | None = None) -> UnknownNameError:
    """An error for a `kind` (such as "source type") that has no `name`, naming the nearest and the known ones."""
    names = sorted(known)
    near = did_you_mean(name, names)
    hint = f"Did you mean {near!r}? " if near else ""
    listed = f"Known: {bounded(names)}." if names else f"There is no {kind} yet."
    return UnknownNameError(f"Unknown {kind} {name!r}.", where=where, remedy=f"{hint}{listed}")
