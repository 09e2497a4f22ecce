"""The names that an experiment may give to objectives and constraints; what they measure is in `search.goals`."""

from e2i_assets.core.metrics import ProblemType, names

MODEL_SIZE = "model_size"
PREDICTION_TIME = "prediction_time"
FAIRNESS_GAP = "fairness_gap"
OF_MODELS = (MODEL_SIZE, PREDICTION_TIME, FAIRNESS_GAP)


def objective_names(problem_type: ProblemType) -> tuple[str, ...]:
    """Return everything that may be optimised or limited, the metrics first."""
    return (*names(problem_type), *OF_MODELS)
