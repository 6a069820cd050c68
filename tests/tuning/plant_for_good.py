"""What a zygote imports to have the planted families: it ends with them."""

from automl_assets.learn import families
from tests.tuning.plant import FOLDER

families.__path__.append(FOLDER)
