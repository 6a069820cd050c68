"""Which code, libraries and commit made a result."""

import subprocess
from functools import cache
from importlib import metadata
from pathlib import Path

from automl_assets.core.fingerprint import digest_of

PACKAGE = "automl-assets"


@cache
def package_version() -> str:
    """The installed version of this package."""
    try:
        return metadata.version(PACKAGE)
    except metadata.PackageNotFoundError:
        return "0+unknown"


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
def lock_hash() -> str:
    """The digest of every installed distribution's name and version: what the environment was."""
    installed = {
        dist.metadata["Name"].lower(): dist.version for dist in metadata.distributions() if dist.metadata["Name"]
    }
    return digest_of(installed)
