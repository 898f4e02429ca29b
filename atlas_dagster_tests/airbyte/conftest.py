from __future__ import annotations

from pathlib import Path

import pytest

from atlas_dagster.settings import Settings, load_settings
from atlas_dagster_tests.airbyte.scripted import Source


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"ATLAS_PROJECT_DIR": str(tmp_path)})


@pytest.fixture
def source(tmp_path: Path, settings: Settings, warehouse_url: str) -> Source:
    home = tmp_path / "source"
    home.mkdir()
    return Source(home, settings, warehouse_url)
