"""Who plans the cleaning: the local planner, or an agent where one is asked for and there is one."""

from automl_assets.cleaning.config import CleaningConfig


def choose_planner(config: CleaningConfig) -> tuple[str, str]:
    """The planner's name and why it is this one."""
    if config.mode == "local":
        return "local", "cleaning.mode is local"
    return "local", f"cleaning.mode is {config.mode}, and this version has no agent: the local planner does it"
