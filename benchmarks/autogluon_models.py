"""AutoGluon's best single model and its ensemble, for comparison only. Run by an interpreter that has AutoGluon.

It needs other versions of the libraries than this product, so it has an environment of its own:
`uv venv FOLDER && uv pip install --python FOLDER/bin/python 'autogluon.tabular[lightgbm,xgboost,catboost]'`.
`benchmarks.algorithms --autogluon FOLDER/bin/python` calls this file, which imports nothing of the project.
"""

import json
import os
import sys
import time
from pathlib import Path

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

import pandas as pd
from autogluon.tabular import TabularPredictor

TARGET = "__target"


def main(folder: Path, metric: str, problem: str, limit: float) -> None:
    """Fit on `train.parquet`, and write what the best single model and the ensemble predict for `unseen.parquet`.

    The preset is `best_quality` without stacking, with LightGBM, XGBoost and CatBoost, one core, and a limit in CPU
    seconds: its clock counts CPU seconds here, because this machine may be shared.
    """
    train, unseen = (pd.read_parquet(folder / f"{name}.parquet") for name in ("train", "unseen"))
    began = time.process_time()
    real, offset = time.time, time.time() - time.process_time()
    time.time = lambda: offset + time.process_time()
    predictor = TabularPredictor(
        TARGET, problem_type=problem, eval_metric=metric, path=str(folder / "models"), verbosity=0
    )
    predictor.fit(
        train,
        presets="best_quality",
        included_model_types=["GBM", "XGB", "CAT"],
        num_stack_levels=0,
        dynamic_stacking=False,
        time_limit=limit,
        num_cpus=1,
        num_gpus=0,
        ag_args_ensemble={"fold_fitting_strategy": "sequential_local"},
    )
    time.time = real
    seconds = time.process_time() - began
    ranked = predictor.leaderboard()
    single = ranked[~ranked["model"].str.startswith("WeightedEnsemble")].iloc[0]["model"]
    for name, model in (("single", single), ("ensemble", ranked.iloc[0]["model"])):
        predicted = predictor.predict(unseen, model=model).to_frame("predicted")
        if problem != "regression":
            predicted = predicted.join(predictor.predict_proba(unseen, model=model).add_prefix("class "))
        predicted.to_parquet(folder / f"{name}.parquet", index=False)
    found = {"seconds": seconds, "trials": len(ranked) - 1, "trained": single}
    (folder / "found.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], float(sys.argv[4]))
