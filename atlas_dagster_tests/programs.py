"""Programs that tests need and Python packages do not bring."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest


def program(name: str, package: str) -> Path:
    """Where a program is; without it the test is skipped, or fails with ATLAS_TEST_PROGRAMS=all."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found:
        return Path(found)
    missing = f"{name} is not installed (Debian: apt-get install {package})"
    if os.environ.get("ATLAS_TEST_PROGRAMS") == "all":
        pytest.fail(missing)
    pytest.skip(missing)
