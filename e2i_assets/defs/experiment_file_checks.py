"""The experiment files as an asset without partitions, and the check that each is valid: an invalid one has no name."""

from collections.abc import Mapping

import dagster as dg

from e2i_assets.adapters.files.experiment_files import mistakes_by_file, read_folder, strict
from e2i_assets.defs.namespace import Namespace
from e2i_assets.defs.resources import ProjectResource
from e2i_assets.services.checks.actions import action
from e2i_assets.services.project import Project


def experiment_files(namespace: Namespace) -> dg.AssetSpec:
    """Return the asset of the files in experiments/, which people write."""
    return dg.AssetSpec(
        namespace.key("experiment_files"),
        description="The files in experiments/, one for each prediction problem.",
        group_name=namespace.group("data"),
        kinds={"yaml"},
        owners=["team:data-science"],
    )


def files_check_key(namespace: Namespace) -> dg.AssetCheckKey:
    """Return the key of the check."""
    return dg.AssetCheckKey(namespace.key("experiment_files"), "experiment_files_are_valid")


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
        found = files_evaluation(namespace, invalid_files(e2i.open()))
        return dg.AssetCheckResult(passed=found.passed, description=found.description, metadata=found.metadata)

    return experiment_files_are_valid


def invalid_files(project: Project) -> Mapping[str, str]:
    """Return the error of each invalid file, by file name."""
    folder = project.settings.experiments
    # All experiments may be rows of ml_experiments, without any file.
    return mistakes_by_file(strict(read_folder(folder))) if folder.is_dir() else {}


def files_evaluation(namespace: Namespace, invalid: Mapping[str, str]) -> dg.AssetCheckEvaluation:
    """Return the check evaluation for these invalid files (file name to error)."""
    key = files_check_key(namespace)
    return dg.AssetCheckEvaluation(
        asset_key=key.asset_key,
        check_name=key.name,
        passed=not invalid,
        description="; ".join(f"{path}: {why}" for path, why in sorted(invalid.items())) or "all files are valid",
        metadata={**({"what to do": action(key.asset_key.path[-1], key.name, "NAME")} if invalid else {}), **invalid},
    )
