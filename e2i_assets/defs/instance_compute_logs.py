"""Where Dagster keeps the output of steps (stdout and stderr): where the state of the project is."""

from typing import cast
from urllib.parse import urlsplit

import dagster as dg

from e2i_assets.adapters.settings import current_settings
from e2i_assets.defs.dagster_internals import (
    ComputeLogManager,
    ConfigurableClassData,
    LocalComputeLogManager,
    UserConfigSchema,
)

# The output of a step that is still running is readable elsewhere after this time, and so is that of a killed one.
_UPLOAD_SECONDS = 30


class ProjectComputeLogManager(LocalComputeLogManager):
    """Dagster's manager for a folder, or dagster-aws's for a state on S3. `dagster.yaml` names this class.

    A state on Google's or Azure's storage keeps the output of steps on the machine that ran them.
    """

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        """Return the configuration schema: the folder, which with an address has only copies."""
        return {"base_dir": dg.StringSource}

    @classmethod
    def from_config_value(  # type: ignore[override]  # Dagster requires no instance of this class
        cls, inst_data: ConfigurableClassData | None, config_value: dict[str, str]
    ) -> ComputeLogManager:
        """Open the manager of the state of this process."""
        address = urlsplit(current_settings().address or "")
        if address.scheme != "s3":
            return LocalComputeLogManager(config_value["base_dir"], inst_data=inst_data)
        # boto3 is slow to import.
        from dagster_aws.s3.compute_log_manager import S3ComputeLogManager

        prefix = f"{address.path.strip('/')}/dagster-logs"
        manager = S3ComputeLogManager(
            address.netloc, config_value["base_dir"], inst_data, prefix, upload_interval=_UPLOAD_SECONDS
        )
        return cast("ComputeLogManager", manager)
