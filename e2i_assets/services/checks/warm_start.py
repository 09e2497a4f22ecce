"""The checks of `warm_start`: valid configurations, each from a pattern in the memory."""

from e2i_assets.core.memory.warm_start import WarmStart, invalid_values
from e2i_assets.services.checks.check import CheckResult, check_result, of_asset, stored
from e2i_assets.services.project import Project


@of_asset("warm_start", blocking=True, answers_for_the_file=True)
def values_are_in_the_search_space(project: Project, name: str) -> CheckResult:
    """The first configurations of the study are in the current search space."""
    start: WarmStart = stored(project, WarmStart, "warm_start", name)
    experiment = project.experiment(name)
    starts = {one: start.of(one) for one in experiment.contenders}
    mistakes = [
        mistake for one, of in starts.items() for mistake in invalid_values(of, experiment.of(one).search_space())
    ]
    count = sum(len(of.configurations) for of in starts.values())
    return check_result(
        mistakes, f"every value is legal in the search space, configurations: {count}", configurations=count
    )


@of_asset("warm_start", severity="WARN")
def patterns_are_in_the_memory(project: Project, name: str) -> CheckResult:
    """All configurations except the defaults refer to a pattern in the memory."""
    start: WarmStart = stored(project, WarmStart, "warm_start", name)
    if start.error:
        return check_result([start.reason], "")
    store = project.patterns
    patterns = [one for of in (start.contenders or {"": start}).values() for one in of.patterns]
    mistakes = [
        f"pattern {one.pattern_id} of study {one.study_name} is no longer in the memory"
        for one in patterns
        if store.get(str(one.pattern_id)) is None
    ]
    return check_result(mistakes, f"{len(patterns)} configurations come from patterns of the memory")


CHECKS = (
    values_are_in_the_search_space,
    patterns_are_in_the_memory,
)
