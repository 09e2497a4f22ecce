"""What `warm_start` promises: configurations that today's space allows, each from a pattern that the memory has."""

from e2i_assets.adapters.promises.promise import Promise, Verdict, stored, verdict
from e2i_assets.adapters.stores.pattern_store import PatternStore
from e2i_assets.adapters.workspace import Workspace
from e2i_assets.core.memory.warm_start import WarmStart, illegal_values


def _legal(workspace: Workspace, name: str) -> Verdict:
    start: WarmStart = stored(workspace, WarmStart, "warm_start", name)
    mistakes = illegal_values(start, workspace.experiment(name).search_space())
    count = len(start.configurations)
    return verdict(mistakes, f"every value is legal in the search space, configurations: {count}", configurations=count)


def _remembered(workspace: Workspace, name: str) -> Verdict:
    start: WarmStart = stored(workspace, WarmStart, "warm_start", name)
    store = PatternStore(workspace.database)
    mistakes = [
        f"pattern {one.pattern_id} of study {one.study_name} is no longer in the memory"
        for one in start.patterns
        if store.get(str(one.pattern_id)) is None
    ]
    return verdict(mistakes, f"{len(start.patterns)} configurations come from patterns of the memory")


PROMISES = (
    Promise(
        asset="warm_start",
        name="every_value_is_legal",
        description="What the study tries first lies in the search space of today.",
        judge=_legal,
        blocking=True,
        answers_for_the_file=True,
    ),
    Promise(
        asset="warm_start",
        name="patterns_are_in_the_memory",
        description="Every configuration that is not the defaults can be followed back to its pattern.",
        judge=_remembered,
        severity="WARN",
    ),
)
