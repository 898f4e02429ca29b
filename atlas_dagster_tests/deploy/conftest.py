from __future__ import annotations

import fcntl
import os

import pytest

from atlas_dagster_tests.deploy.image import Image, build, built
from atlas_dagster_tests.effort import THOROUGH


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """The image's directories, built once for all processes that run tests."""
    base = tmp_path_factory.getbasetemp()
    root = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "image"
    with root.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return built(root) if root.exists() else build(root, install=THOROUGH)
