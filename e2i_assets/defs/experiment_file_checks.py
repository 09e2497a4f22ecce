"""The check that every file in experiments/ is valid: one check for all files, as an invalid file has no partition."""

from collections.abc import Mapping

import dagster as dg

from e2i_assets.adapters.files.experiment_files import mistakes_by_file, read_folder, strict
from e2i_assets.defs.resources import ProjectResource

FILES_CHECK = dg.AssetCheckKey(dg.AssetKey("dataset"), "experiment_files_are_valid")


@dg.asset_check(asset="dataset", name=FILES_CHECK.name, description="Every file in experiments/ is a valid experiment.")
def experiment_files_are_valid(e2i: ProjectResource) -> dg.AssetCheckResult:
    """Read all files. The check is not blocking: an invalid file does not stop the runs of other experiments."""
    folder = e2i.open().settings.experiments
    # All experiments may be rows of ml_experiments, without any file.
    found = files_evaluation(mistakes_by_file(strict(read_folder(folder))) if folder.is_dir() else {})
    return dg.AssetCheckResult(passed=found.passed, description=found.description, metadata=found.metadata)


def files_evaluation(invalid: Mapping[str, str]) -> dg.AssetCheckEvaluation:
    """Return the check evaluation for these invalid files (file name to error)."""
    return dg.AssetCheckEvaluation(
        asset_key=FILES_CHECK.asset_key,
        check_name=FILES_CHECK.name,
        passed=not invalid,
        description="; ".join(f"{path}: {why}" for path, why in sorted(invalid.items())) or "all files are valid",
        metadata={path: why for path, why in invalid.items()},
    )
