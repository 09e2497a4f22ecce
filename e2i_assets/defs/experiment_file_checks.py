"""Whether the files in experiments/ can be read: one check for all, since a file that cannot has no partition."""

from collections.abc import Mapping

import dagster as dg

from e2i_assets.adapters.files.experiment_files import mistakes_by_file, read_folder, strict
from e2i_assets.defs.resources import ProjectResource

FILES_CHECK = dg.AssetCheckKey(dg.AssetKey("dataset"), "experiment_files_are_valid")


@dg.asset_check(asset="dataset", name=FILES_CHECK.name, description="Every file in experiments/ is an experiment.")
def experiment_files_are_valid(e2i: ProjectResource) -> dg.AssetCheckResult:
    """Read the whole folder; nobody else's run waits for it."""
    folder = e2i.open().settings.experiments
    # Experiments may be rows of ml_experiments alone.
    found = files_evaluation(mistakes_by_file(strict(read_folder(folder))) if folder.is_dir() else {})
    return dg.AssetCheckResult(passed=found.passed, description=found.description, metadata=found.metadata)


def files_evaluation(invalid: Mapping[str, str]) -> dg.AssetCheckEvaluation:
    """Return what the check says of these mistakes, by file."""
    return dg.AssetCheckEvaluation(
        asset_key=FILES_CHECK.asset_key,
        check_name=FILES_CHECK.name,
        passed=not invalid,
        description="; ".join(f"{path}: {why}" for path, why in sorted(invalid.items())) or "every file is valid",
        metadata={path: why for path, why in invalid.items()},
    )
