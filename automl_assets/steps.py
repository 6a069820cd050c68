"""The whole graph as data, in the order in which it runs."""

from automl_assets.cleaning.steps import CLEAN_TABLE, CLEANING_PLAN
from automl_assets.core.steps import Step
from automl_assets.deciding.steps import VERDICT
from automl_assets.evaluation.steps import EVALUATION
from automl_assets.ingestion.steps import RAW_TABLE, TRAINING_WINDOW
from automl_assets.monitoring.steps import DRIFT_REPORT, PERFORMANCE_REPORT
from automl_assets.problems.steps import PROBLEM
from automl_assets.quality.steps import QUALITY_REPORT
from automl_assets.registration.steps import CHAMPION, REGISTERED_MODEL
from automl_assets.serving.steps import PREDICTIONS
from automl_assets.training.steps import TRAINED_MODEL
from automl_assets.tuning.steps import TUNING_STUDY

ARRIVAL: tuple[Step, ...] = (RAW_TABLE, QUALITY_REPORT)
MODEL_SIDE: tuple[Step, ...] = (
    TRAINING_WINDOW,
    PROBLEM,
    CLEANING_PLAN,
    CLEAN_TABLE,
    TUNING_STUDY,
    TRAINED_MODEL,
    EVALUATION,
    REGISTERED_MODEL,
    CHAMPION,
)
SCORING: tuple[Step, ...] = (PREDICTIONS, DRIFT_REPORT, PERFORMANCE_REPORT, VERDICT)
BATCH_SIDE: tuple[Step, ...] = ARRIVAL + SCORING
ALL: tuple[Step, ...] = ARRIVAL + MODEL_SIDE + SCORING
