"""What a model must know of the problem that it is trained for, from the clean table that it learns from."""

from automl_assets.cleaning.apply import roles_after
from automl_assets.core.values import CleanTable
from automl_assets.training.train import ModelFacts


def model_facts(pipeline: str, clean: CleanTable) -> ModelFacts:
    """The columns it reads and their types, its plan, its holdout rule and its window."""
    problem, window = clean.problem, clean.window
    return ModelFacts(
        pipeline=pipeline,
        kind=problem.kind,
        target=problem.target,
        classes=problem.classes,
        roles=roles_after(clean.plan, problem.feature_roles()),
        columns=tuple(column for column in window.columns if column.name in problem.features()),
        plan=clean.plan,
        holdout=problem.holdout,
        window=tuple(batch.raw_digest or batch.table.digest for batch in window.batches),
        id_columns=problem.columns_with("id"),
        reference=clean.table.path,
        costs=problem.costs,
        class_weights=problem.class_weights,
    )
