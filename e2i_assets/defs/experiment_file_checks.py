"""The check that every file in experiments/ is valid: one check for all files, as an invalid file has no partition."""

from collections.abc import Mapping

import dagster as dg

from e2i_assets.adapters.files.experiment_files import mistakes_by_file, read_folder, strict
from e2i_assets.defs.namespace import Namespace
from e2i_assets.defs.resources import ProjectResource


def files_check_key(namespace: Namespace) -> dg.AssetCheckKey:
    """Return the key of the check."""
    return dg.AssetCheckKey(namespace.key("dataset"), "experiment_files_are_valid")


def files_check(namespace: Namespace) -> dg.AssetChecksDefinition:
    """Return the check. It is not blocking: an invalid file does not stop the runs of other experiments."""
    key = files_check_key(namespace)

    @dg.asset_check(
        asset=key.asset_key,
        name=key.name,
        description="Every file in experiments/ is a valid experiment.",
        config_schema={},
    )
    def experiment_files_are_valid(e2i: ProjectResource) -> dg.AssetCheckResult:
        folder = e2i.open().settings.experiments
        # All experiments may be rows of ml_experiments, without any file.
        found = files_evaluation(namespace, mistakes_by_file(strict(read_folder(folder))) if folder.is_dir() else {})
        return dg.AssetCheckResult(passed=found.passed, description=found.description, metadata=found.metadata)

    return experiment_files_are_valid


def files_evaluation(namespace: Namespace, invalid: Mapping[str, str]) -> dg.AssetCheckEvaluation:
    """Return the check evaluation for these invalid files (file name to error)."""
    key = files_check_key(namespace)
    return dg.AssetCheckEvaluation(
        asset_key=key.asset_key,
        check_name=key.name,
        passed=not invalid,
        description="; ".join(f"{path}: {why}" for path, why in sorted(invalid.items())) or "all files are valid",
        metadata={path: why for path, why in invalid.items()},
    )
