"""Writes the data of a version, which tests of later versions upgrade: a finished experiment and its database.

    python scripts/release_state.py TREE FILE.tar.gz

TREE is a checkout of the version, with its `.venv`. The archive has the backup of the database (`database.dump`), the
project with its state folder, predictions of the model in use (`predictions.json`), and where all of it was made
(`made.json`).
"""

import json
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

NAME = "customers"
EXPERIMENT = f"""\
name: {NAME}
owner: team:data-science
source: {{csv: customers.csv}}
target: bought
problem_type: binary_classification
algorithm: LightGBM
hpo: {{trials: 4}}
"""
PREDICT = "predict: {source: {csv: new_customers.csv}, to: scored/customers.parquet}\n"
# The model in use, without the code of that version: what MLflow loads.
PREDICTIONS = """\
import json, sys
import mlflow.pyfunc, pandas as pd
model = mlflow.pyfunc.load_model(sys.argv[1])
rows = pd.read_csv(sys.argv[2])
scores = model.predict(rows, params={"method": "predict_proba"})
print(json.dumps({"labels": model.predict(rows).tolist(), "scores": scores.to_numpy().tolist()}))
"""
# The server is made again from the backup. Logs and run folders of Dagster are of no use to a later version.
LEFT_OUT = {"postgres", "logs", "dagster"}


def rows(count: int, seed: int) -> pd.DataFrame:
    """Return rows of customers without the target."""
    draw = np.random.default_rng(seed)
    columns = {"age": draw.normal(50, 12, count).round(1), "town": draw.choice(["Ulm", "Bonn", "Kiel"], count)}
    return pd.DataFrame({**columns, "visits": draw.poisson(3, count)})


def write_project(folder: Path, predict: bool) -> None:
    """Write an experiment file, its rows, and rows to predict."""
    (folder / "experiments").mkdir()
    (folder / "experiments" / f"{NAME}.yaml").write_text(EXPERIMENT + (PREDICT if predict else ""))
    table = rows(1500, 0)
    noise = np.random.default_rng(1).normal(size=len(table))
    table["bought"] = np.where(table["age"] / 6 + 2 * (table["town"] == "Ulm") + noise > 9, "yes", "no")
    table.to_csv(folder / "customers.csv", index=False)
    rows(20, 2).to_csv(folder / "new_customers.csv", index=False)


def main(tree: Path, archive: Path) -> int:
    """Run the experiment with the program of the tree, and archive what it leaves."""
    programs = tree / ".venv" / "bin"
    with tempfile.TemporaryDirectory(prefix="e2i-release-") as made:
        # The server of the project runs as another account.
        folder = Path(made).resolve()
        folder.chmod(0o755)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("E2I_")}
        environment = {**kept, "E2I_HOME": str(folder), "E2I_PICTURES": "off", "E2I_CORES": "1"}

        def called(program: str, *words: str) -> str:
            command = [str(programs / program), *words]
            ran = subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True, check=True)
            return ran.stdout

        predict = (tree / "e2i_assets" / "services" / "predict_new_rows.py").exists()
        write_project(folder, predict)
        called("e2i", "run", NAME)
        if predict:
            environment["DAGSTER_HOME"] = str(folder / ".e2i" / "dagster")
            selected = ["--select", "predictions", "--partition", NAME]
            called("dagster", "asset", "materialize", "-m", "e2i_assets.definitions", *selected)
        model = next(folder.glob(f".e2i/champions/{NAME}/*/MLmodel")).parent
        text = called("python", "-c", PREDICTIONS, str(model), "new_customers.csv")
        (folder / "predictions.json").write_text(text.splitlines()[-1] + "\n")
        version = called("e2i", "--version").split()[-1]
        (folder / "made.json").write_text(json.dumps({"version": version, "folder": str(folder)}) + "\n")
        called("e2i", "db", "backup", "database.dump")
        with tarfile.open(archive, "w:gz") as output:
            output.add(folder, ".", filter=lambda one: None if LEFT_OUT & set(Path(one.name).parts) else one)
    print(f"{archive}: version {version}, {archive.stat().st_size // 1000} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve(), Path(sys.argv[2])))
