"""The command line: `automl`."""

from automl_assets.cli.app import main

__all__ = ["main"]
