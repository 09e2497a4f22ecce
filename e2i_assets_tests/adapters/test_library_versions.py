"""Tests of e2i_assets.adapters.library_versions."""

import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

from e2i_assets.adapters.library_versions import library_version


def test_xgboost_without_cuda_counts_as_xgboost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert library_version("xgboost") == version("xgboost")
    about = tmp_path / "xgboost_cpu-3.2.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: xgboost-cpu\nVersion: 3.2.0\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path)])  # the image has only this package
    assert library_version("xgboost") == "3.2.0"
    with pytest.raises(PackageNotFoundError):
        library_version("lightgbm")
