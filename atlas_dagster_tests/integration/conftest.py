from __future__ import annotations

from pathlib import Path

import pytest

from atlas_dagster_tests.integration.project import Project


@pytest.fixture
def project(tmp_path: Path, warehouse_url: str) -> Project:
    """A project directory as a fresh clone has it, with run monitoring that looks every second."""
    project = Project(tmp_path, warehouse_url)
    project.copy_dagster_files(poll_interval_seconds=1)
    return project
