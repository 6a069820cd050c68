"""Which code, libraries and commit made a result."""

import subprocess
from functools import cache
from importlib import metadata
from pathlib import Path

from automl_assets.core.fingerprint import digest_of, digest_of_file

PACKAGE = "automl-assets"


@cache
def package_version() -> str:
    """The installed version of this package."""
    try:
        return metadata.version(PACKAGE)
    except metadata.PackageNotFoundError:
        return "0+unknown"


@cache
def source_files(*folders: str) -> dict[str, str]:
    """A digest of each code and data file in some of this package's folders, by its path in the package."""
    root = Path(__file__).resolve().parent.parent
    files = (path for folder in folders for path in (root / folder).rglob("*") if path.suffix in (".py", ".json"))
    return {path.relative_to(root).as_posix(): digest_of_file(path)[:16] for path in sorted(files)}


@cache
def git_commit() -> str:
    """The commit of the working directory's repository, with ``+changes`` where files differ; "" outside of one."""
    try:
        commit = _git("rev-parse", "HEAD")
        return f"{commit}+changes" if _git("status", "--porcelain", "--untracked-files=no") else commit
    except (OSError, subprocess.SubprocessError):
        return ""


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, timeout=10, check=True, cwd=Path.cwd())
    return done.stdout.strip()


@cache
def installed_packages() -> dict[str, str]:
    """Every installed distribution's version, by its name in lower case."""
    found = {dist.metadata["Name"].lower(): dist.version for dist in metadata.distributions() if dist.metadata["Name"]}
    return dict(sorted(found.items()))


@cache
def lock_hash() -> str:
    """The digest of every installed distribution's name and version: what the environment was."""
    return digest_of(installed_packages())
