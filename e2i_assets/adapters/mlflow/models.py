"""Fitted models on disk, without pickle: a skops archive, and a manifest with its hash and the library versions.

`model_folder` converts a model to MLflow's format.
"""

import hashlib
import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from e2i_assets.adapters.files.json_files import json_of
from e2i_assets.adapters.library_versions import library_version
from e2i_assets.adapters.mlflow.model_archive import (
    MOST_BYTES,
    canonical,
    skops_io,
    unfolded_bytes,
    untrusted_types,
)
from e2i_assets.core.algorithms import registry
from e2i_assets.core.errors import E2iError
from e2i_assets.core.fitting.averaged_model import Model
from e2i_assets.core.fitting.served_model import ARCHIVE, restored
from e2i_assets.core.fitting.trusted_types import TRUSTED_TYPES

MANIFEST = "manifest.json"
_LIBRARIES = ("scikit-learn", "skops", "numpy", "pandas", "xgboost", "lightgbm")
_FORMAT = "e2i-model-2"


class ModelInvalid(E2iError):
    """The model cannot be stored, or the stored model is damaged, modified or not of this product."""


def save_model(model: Model, folder: Path) -> str:
    """Write a model that `load_model` restores with exactly the same predictions.

    Args:
        model: A fitted model.
        folder: Created if it does not exist; a model in it is replaced.

    Returns:
        The SHA-256 of the archive. Equal models have equal hashes.

    Raises:
        ModelInvalid: The model contains a type that is never loaded. Nothing is written.
    """
    archive = canonical(skops_io().dumps(model.parts))
    if unknown := untrusted_types(archive):
        raise ModelInvalid(
            f"this model contains {', '.join(unknown)}, which is never loaded from storage, so it is not stored. "
            "Remove it from the model, or add the type to TRUSTED_TYPES in e2i_assets/core/fitting/trusted_types.py"
        )
    digest = hashlib.sha256(archive).hexdigest()
    manifest = {"format": _FORMAT, "sha256": digest, "libraries": library_versions()}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ARCHIVE).write_bytes(archive)
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    return digest


def load_model(folder: Path, expected_sha256: str | None = None) -> Model:
    """Read a model that `save_model` wrote.

    Args:
        folder: The folder that it was written to.
        expected_sha256: The hash stored elsewhere; it detects that archive and manifest were both replaced.

    Raises:
        ModelInvalid: A file is missing, was modified, or contains a type that is not trusted.
    """
    parts = _loaded(folder, _archive(folder, expected_sha256))
    try:
        return restored(parts)
    except TypeError:
        raise ModelInvalid(f"{folder / ARCHIVE} does not contain the parts of a model: train the model again") from None


def library_versions() -> dict[str, str]:
    """Return the version of each library whose objects a model may contain; of an optional one, if it is installed."""
    return {name: library_version(name) for name in _LIBRARIES + tuple(filter(find_spec, registry.optional_packages()))}


def _archive(folder: Path, expected_sha256: str | None) -> bytes:
    """Return the bytes of the archive, after checking its hash against the manifest and `expected_sha256`."""
    try:
        manifest = json_of(folder / MANIFEST)
        archive = (folder / ARCHIVE).read_bytes()
    except (OSError, ValueError) as error:
        raise ModelInvalid(f"no model can be read from {folder}: {error}") from error
    if not isinstance(manifest, dict) or manifest.get("format") != _FORMAT:
        raise ModelInvalid(f"{folder / MANIFEST} is not the manifest of a model: train the model again")
    digest = hashlib.sha256(archive).hexdigest()
    if digest not in (manifest.get("sha256"),) or digest != (expected_sha256 or digest):
        raise ModelInvalid(
            f"{folder / ARCHIVE} is not the file that was written: its SHA-256 is {digest}, expected was "
            f"{expected_sha256 or manifest.get('sha256')}. Do not use it; train the model again"
        )
    return archive


def _loaded(folder: Path, archive: bytes) -> Any:
    try:
        if (unfolded := unfolded_bytes(archive)) > MOST_BYTES:
            raise ModelInvalid(
                f"{folder / ARCHIVE} would unpack to {unfolded:,} bytes, more than any model: do not use it"
            )
        if unknown := untrusted_types(archive):
            raise ModelInvalid(f"{folder / ARCHIVE} has {', '.join(unknown)}, which is never loaded: do not use it")
        return skops_io().loads(archive, trusted=list(TRUSTED_TYPES))
    except ModelInvalid:
        raise
    except Exception as error:  # a forged archive can make the readers raise any exception
        raise ModelInvalid(f"{folder / ARCHIVE} cannot be read as a model: {type(error).__name__}: {error}") from error
