"""docs/lineage.md: its file configures the client, and its command lists what is in the file."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from atlas_dagster.lineage.model import State
from atlas_dagster.lineage.sending import emit
from atlas_dagster.lineage.transport import is_configured, open_client
from atlas_dagster_tests.integration.project import REPOSITORY
from atlas_dagster_tests.lineage.support import event


def test_the_guides_file_and_the_guides_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    guide = (REPOSITORY / "docs" / "lineage.md").read_text()
    ((configuration,), (command,)) = (
        re.findall(rf"```{language}\n(.*?)```", guide, re.DOTALL) for language in ("yaml", "sh")
    )
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "openlineage.yml").write_text(configuration)
    (tmp_path / ".atlas").mkdir()
    assert is_configured()
    for state in (State.START, State.COMPLETE):
        assert emit(open_client(), event(state)) is None
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", "-ec", command], capture_output=True, text=True, env={"PATH": path}, check=True
    )
    assert re.findall(r'"eventType": "(\w+)"', done.stdout) == ["START", "COMPLETE"]


def test_the_guide_and_the_example_environment_name_the_variables() -> None:
    guide = (REPOSITORY / "docs" / "lineage.md").read_text()
    example = (REPOSITORY / ".env.example").read_text()
    for name in ("OPENLINEAGE_URL", "OPENLINEAGE_NAMESPACE", "ATLAS_OPENLINEAGE_WAREHOUSE"):
        assert f"`{name}`" in guide
        assert f"# {name}=" in example
