"""What a version says of itself, in Markdown: for the registry's page and for whoever asks in a year."""

from automl_assets.core.values import CleaningPlan, Evaluation, Problem, TrainedModel, TrainingWindow


def model_card(
    pipeline: str, window: TrainingWindow, problem: Problem, plan: CleaningPlan, model: TrainedModel, found: Evaluation
) -> str:
    """The card. It names columns and scores, never a value of the table."""
    better = "higher" if found.higher_is_better else "lower"
    top = ", ".join(list(found.importances)[:8]) or "not measured"
    leaks = "; ".join(f"{leak.column or 'the split'}: {leak.reason}" for leak in problem.leaks) or "none found"
    members = "\n".join(f"| {m.name} | {m.weight:.2f} | {m.score:.5g} | {m.size_mb:.2f} |" for m in model.members)
    return f"""# {pipeline}

Predicts **{problem.target}** ({problem.kind}) from {len(problem.features())} columns.

| on {found.rows:,} holdout rows | {found.metric} ({better} is better) |
|-|-|
| this model | {found.holdout.value:.5g} [{found.holdout.low:.5g}, {found.holdout.high:.5g}] |
| linear baseline | {found.linear:.5g} |
| dummy | {found.dummy:.5g} |

Gain over the linear baseline: {found.gain_over_linear.value:+.5g} [{found.gain_over_linear.low:+.5g}, \
{found.gain_over_linear.high:+.5g}], paired bootstrap, 95%.

Trained on {problem.train_rows:,} rows of {len(window.batches)} batches; nothing was fitted on the holdout \
(rule: {problem.holdout.kind}). {len(plan.steps)} cleaning steps are part of the model. \
Calibration: {model.calibration}.

What matters most: {top}. Leaks: {leaks}.

| member | weight | out-of-fold score | MiB |
|-|-|-|-|
{members}
"""
