"""What every request for the scoring of a batch says of it, whoever asks."""

from automl_assets.core.records import LandedBatch
from resources.pipeline_lock import PIPELINE_TAG

TRIGGER_TAG = "automl/trigger"
BATCH_TAG = "automl/batch"
PARTITION_TAG = "dagster/partition"
MOST_TAG_CHARACTERS = 250


def batch_tags(row: LandedBatch, trigger: str, *, partitioned: bool = True) -> dict[str, str]:
    """The tags of a run about one batch. Naming the partition here saves a tick from building the job to find out."""
    tags = {PIPELINE_TAG: row.pipeline, TRIGGER_TAG: trigger, BATCH_TAG: row.key[:MOST_TAG_CHARACTERS]}
    return {**tags, PARTITION_TAG: row.key} if partitioned else tags
