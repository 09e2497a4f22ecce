"""What the definitions expect of `dagster.yaml`, and what the file of another Dagster instance lacks of it."""

import logging
from pathlib import Path
from typing import Any

import yaml

_FILE = "dagster.yaml"
_EXPECTED = {
    "run_monitoring.enabled": "a run whose process died stays STARTED",
    "run_retries.enabled": "a run whose process died is not started again",
    "freshness.enabled": "the freshness of models is not evaluated",
    "concurrency.pools.default_limit": "concurrent studies compete for the cores, unless the pool studies has a limit",
    "concurrency.runs.tag_concurrency_limits": "two runs of one experiment may tune the same study",
}


def missing_settings(home: str | None) -> dict[str, str]:
    """Return the settings that an instance lacks, with what follows from it.

    Args:
        home: Dagster's home; None if the process has no instance of its own, and so lacks nothing.
    """
    if not home:
        return {}
    path = Path(home) / _FILE
    configured = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return {name: why for name, why in _EXPECTED.items() if not _value(configured or {}, name)}


def report_missing_settings(home: str | None) -> None:
    """Log a warning that names the settings that an instance lacks."""
    if missing := missing_settings(home):
        named = "; ".join(f"{name} ({why})" for name, why in missing.items())
        logging.getLogger("dagster.e2i").warning(
            f"e2i_assets: {home}/{_FILE} does not set {named}. The {_FILE} of e2i_assets sets them."
        )


def _value(configured: Any, name: str) -> Any:
    for part in name.split("."):
        configured = configured.get(part) if isinstance(configured, dict) else None
    return configured
