from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from atlas_dagster_tests.deploy.image import Image, build
from atlas_dagster_tests.effort import THOROUGH


@pytest.fixture(scope="session")
def image() -> Iterator[Image]:
    """The image's directories; a service that was stopped must not find them gone."""
    root = Path(tempfile.mkdtemp(prefix="atlas-image-"))
    try:
        yield build(root, install=THOROUGH)
    finally:
        shutil.rmtree(root)
