"""Plants the families in the importing process for good: a zygote's, or the budget benchmark's."""

from automl_assets.learn import families
from tests.tuning.plant import FOLDER

families.__path__.append(FOLDER)
