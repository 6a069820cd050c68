import importlib
import subprocess
import sys

import pytest

from automl_assets.core.imports import without


def test_a_module_that_is_left_out_is_as_if_not_installed_and_there_afterwards() -> None:
    sys.modules.pop("colorsys", None)
    with without("colorsys"), pytest.raises(ModuleNotFoundError, match="colorsys is left out here"):
        importlib.import_module("colorsys")
    import colorsys

    assert colorsys.rgb_to_hsv(1, 1, 1) == (0.0, 0.0, 1)


def test_what_is_imported_already_and_what_is_not_named_can_be_had() -> None:
    with without("sys"):
        import sys as again
    assert again is sys


def test_reading_a_model_of_scikit_learn_imports_no_torch() -> None:
    program = (
        "import sys; from automl_assets.learn.families._skops import skops_io;"
        "assert callable(skops_io().load); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
