"""A project to be looked at."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from atlas_dagster_tests.airbyte.scripted import USERS
from atlas_dagster_tests.integration.project import Project


@pytest.fixture
def project(tmp_path: Path, warehouse_url: str, monkeypatch: pytest.MonkeyPatch) -> Project:
    for name in os.environ:
        if "QALITA" in name or name.startswith(("ATLAS_", "AIRBYTE_", "DAGSTER_")):
            monkeypatch.delenv(name)
    project = Project(tmp_path, warehouse_url)
    for name, value in project.variables.items():
        monkeypatch.setenv(name, value)
    project.with_connection("shop", USERS)
    project.copy_dagster_files()
    return project
