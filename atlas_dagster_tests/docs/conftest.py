from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from atlas_dagster import embedded_postgres
from atlas_dagster_tests.conftest import _waive_durability, server_directory
from atlas_dagster_tests.docs.project import FILES, install_faker, sync_twice
from atlas_dagster_tests.docs.shell import Shell
from atlas_dagster_tests.docs.zygote import commands
from atlas_dagster_tests.integration.project import REPOSITORY

OURS = ("ATLAS_", "DAGSTER_", "AIRBYTE_", "QALITA_", "OPENLINEAGE_")


@pytest.fixture(scope="session")
def shell() -> Iterator[Shell]:
    """A clone after `make install` and two syncs of `faker`, which a scripted connector serves.

    It is embedded mode: no variable is set but those of `.env`.
    """
    root = server_directory()
    programs = root / ".venv" / "bin"
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    inherited["PYTHONPATH"] = str(REPOSITORY)
    for name in FILES:
        _copy(REPOSITORY / name, root / name)
    try:
        with commands(programs, inherited):
            (programs / "psql").symlink_to(embedded_postgres.binaries() / "psql")
            (programs / "activate").write_text(f"PATH='{programs}':$PATH\n")
            path = os.pathsep.join([str(programs), str(_python()), inherited["PATH"]])
            shell = Shell(root, {**inherited, "PATH": path})
            assert shell.run("make env-file").returncode == 0
            home = install_faker(root)
            _waive_durability(embedded_postgres.start(root / ".atlas"))
            sync_twice(shell, home)
            yield shell
    finally:
        embedded_postgres.stop(root / ".atlas")
        shutil.rmtree(root)


def _python() -> Path:
    return Path(sys.executable).parent


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copy(source, target)
