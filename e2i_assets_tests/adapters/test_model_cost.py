"""What storing a model must not do, because each run would pay for it: lists that nobody reads."""

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import sys
from pathlib import Path

from fitted_models import fitted, table

from e2i_assets.adapters.mlflow.model_folder import save_mlflow_model

save_mlflow_model(fitted("Ridge", "regression"), Path(sys.argv[1]), table(5))

import scipy.special
import sklearn.utils
import skops.io._trusted_types as trusted
from mlflow.utils import environment, requirements_utils

assert trusted.SKLEARN_ESTIMATOR_TYPE_NAMES == trusted.SCIPY_UFUNC_TYPE_NAMES == []
assert requirements_utils._MODULES_TO_PACKAGES is None, "MLflow has read the files of every installed package"
# The originals are in place again.
assert "expit" in dir(scipy.special)
assert sklearn.utils.all_estimators is not list
assert environment.warn_dependency_requirement_mismatches is requirements_utils.warn_dependency_requirement_mismatches
"""


def test_storing_a_model_lists_no_estimators_no_functions_and_no_packages(tmp_path: Path) -> None:
    support = Path(__file__).parents[1] / "support"
    program = f"import sys\nsys.path.insert(0, {str(support)!r})\n{PROGRAM}"
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, str(tmp_path / "model")],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stderr
