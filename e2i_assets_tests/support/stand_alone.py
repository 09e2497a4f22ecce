"""Loads MLflow models without `e2i_assets`, and compares their predictions with the expected ones.

Run as a program with the packages to hide, and folders that contain `model/`, `rows.parquet`, `expected.json` and, for
a model of a registry, its address in `uri.txt`. It prints the number of models with equal predictions.
"""

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any


def refuse(*packages: str) -> None:
    """Make these packages unavailable in this process."""

    class Refused:
        def find_spec(self, name: str, *_: object) -> None:
            if name.partition(".")[0] in packages:
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    sys.meta_path.insert(0, Refused())  # type: ignore[arg-type]


def differences(folder: Path) -> list[str]:
    """Return the differences between the expected predictions and those of a model in a folder and in a registry."""
    import mlflow.pyfunc
    import pandas as pd

    rows, expected = pd.read_parquet(folder / "rows.parquet"), json.loads((folder / "expected.json").read_text())
    registered = folder / "uri.txt"
    wrong = []
    for place in [str(folder / "model"), *([registered.read_text()] if registered.exists() else [])]:
        model: Any = mlflow.pyfunc.load_model(place)
        found: dict[str, Any] = {"predict": model.predict(rows).tolist()}
        if "predict_proba" in expected:
            found["predict_proba"] = model.predict(rows, params={"method": "predict_proba"}).to_numpy().tolist()
        wrong += [f"{place}: {method}" for method in expected if found[method] != expected[method]]
    return wrong


if __name__ == "__main__":
    refused = [name for name in sys.argv[1].split(",") if name]
    refuse(*refused)
    assert "e2i_assets" in refused or importlib.util.find_spec("e2i_assets") is None
    wrong = [one for folder in sys.argv[2:] for one in differences(Path(folder))]
    assert not wrong, wrong
    assert "e2i_assets" not in sys.modules
    print(len(sys.argv) - 2)
