from __future__ import annotations

import os
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from atlas_dagster.airbyte import config_store, connectors
from atlas_dagster.airbyte.config_store import Scrubber
from atlas_dagster.airbyte.connectors import ConfigKeeper, Connector
from atlas_dagster.config import EmbeddedConnection
from atlas_dagster.errors import ConnectorError
from atlas_dagster_tests.airbyte.scripted import Source, record

SECRET_SPEC = {
    "type": "object",
    "properties": {"token": {"type": "string", "airbyte_secret": True}},
}


def fake_uv(folder: Path, script: str) -> None:
    """Put a `uv` on PATH that does what the script says; `$venv` and `$name` are set."""
    folder.mkdir()
    uv = folder / "uv"
    uv.write_text(
        "#!/bin/sh\n"
        'if [ "$1" = venv ]; then for venv; do :; done; mkdir -p "$venv/bin"; exit 0; fi\n'
        'echo "$*" >> "$(dirname "$0")/calls"\n'
        'venv=$(dirname "$(dirname "$5")")\n' + script
    )
    uv.chmod(0o755)


@pytest.fixture
def named(source: Source) -> EmbeddedConnection:
    """A connection that names its program instead of a path."""
    return replace(source.connection(), executable="source-scripted")


def install_script(exit_code: int = 0) -> str:
    return (
        'printf "#!/bin/sh\\n" > "$venv/bin/source-scripted"\n'
        f'chmod +x "$venv/bin/source-scripted"\nexit {exit_code}\n'
    )


def test_a_connector_is_installed_once(
    named: EmbeddedConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_uv(tmp_path / "bin", install_script())
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    executable = connectors.install(named, tmp_path)
    assert connectors.install(named, tmp_path) == executable
    assert executable.relative_to(tmp_path).parts == (
        "connectors",
        "airbyte-source-scripted-1.0.0",
        "bin",
        "source-scripted",
    )
    (call,) = (tmp_path / "bin" / "calls").read_text().splitlines()
    assert call.endswith("airbyte-source-scripted==1.0.0")


def test_a_half_venv_of_a_killed_install_is_built_anew(
    named: EmbeddedConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    half = tmp_path / "connectors" / "airbyte-source-scripted-1.0.0" / "bin"
    half.mkdir(parents=True)
    (half / "leftover").touch()
    fake_uv(tmp_path / "bin", install_script())
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    assert connectors.install(named, tmp_path).exists()
    assert not (half / "leftover").exists()


def test_a_package_that_does_not_exist_is_named_with_the_reason(
    named: EmbeddedConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = "  x No solution found\n  Because there is no version of airbyte-source-scripted==1.0.0"
    fake_uv(tmp_path / "bin", f'echo "{said} at https://me:pass@index" >&2\nexit 1\n')
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(ConnectorError) as raised:
        connectors.install(named, tmp_path)
    assert str(raised.value) == (
        "airbyte-source-scripted==1.0.0 cannot be installed: Because there is no version of"
        " airbyte-source-scripted==1.0.0 at https://index"
        " (source of scripted in conf/connections.yaml)"
    )
    assert not (tmp_path / "connectors" / "airbyte-source-scripted-1.0.0").exists()


@pytest.mark.parametrize(
    ("versions", "reason"),
    [
        ("4.0, 5.0, 6.0, 7.0, 7.1, 7.2", "no such version; the newest are 5.0, 6.0, 7.0, 7.1, 7.2"),
        ("none", "the package index has no version of it for this Python; is its name right?"),
    ],
)
def test_of_the_versions_that_pip_lists_the_newest_are_named(
    named: EmbeddedConnection,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    versions: str,
    reason: str,
) -> None:
    said = (
        "ERROR: Could not find a version that satisfies the requirement"
        f" Airbyte_source.scripted==1.0.0 (from versions: {versions})"
    )
    fake_uv(tmp_path / "bin", f'echo "{said}" >&2\nexit 1\n')
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(ConnectorError) as raised:
        connectors.install(named, tmp_path)
    assert reason in str(raised.value)


PIP_NEEDS = """
ERROR: Could not find a version that satisfies the requirement smart-open[all]==0.6.0 \
(from airbyte-source-scripted) (from versions: 7.5.0, 8.0.3)
ERROR: No matching distribution found for smart-open[all]==0.6.0
"""
UV_NEEDS = """
error: No solution found when resolving dependencies
  cause: Because there is no version of smart-open[all]==0.6.0 and airbyte-source-scripted>=1.0.0 \
depends on smart-open[all]==0.6.0, we can conclude that it cannot be used.
"""
UV_NEEDS_TOO = """
  × No solution found when resolving dependencies:
  ╰─▶ Because only airbyte-source-scripted<=1.0.0 is available and there is no version
      of smart-open[all]==0.6.0, we can conclude that it cannot be used.
"""


@pytest.mark.parametrize("said", [PIP_NEEDS, UV_NEEDS, UV_NEEDS_TOO])
def test_a_dependency_that_does_not_exist_is_named_instead_of_versions_that_are_its(
    named: EmbeddedConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    fake_uv(tmp_path / "bin", f"cat >&2 <<'END'\n{said}END\nexit 1\n")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(ConnectorError) as raised:
        connectors.install(named, tmp_path)
    assert str(raised.value) == (
        "airbyte-source-scripted==1.0.0 cannot be installed: it needs smart-open[all]==0.6.0, which"
        " there is not; try another version (source of scripted in conf/connections.yaml)"
    )


def test_a_package_without_the_executable_says_which_it_has(
    named: EmbeddedConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_uv(tmp_path / "bin", 'touch "$venv/bin/source-other"\n')
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(ConnectorError, match="no executable source-scripted; it has: source-other"):
        connectors.install(named, tmp_path)


def test_a_missing_executable_fails_the_sync(source: Source) -> None:
    sync = source.open()
    (source.home / "source-scripted").unlink()
    sync.run()
    assert sync.failure is not None
    assert sync.failure.startswith("connection scripted: ")
    assert "has no executable" in sync.failure


def test_an_executable_that_cannot_be_run_fails_the_sync(source: Source) -> None:
    sync = source.open()
    (source.home / "source-scripted").write_text("#!/no/such/interpreter\n")
    sync.run()
    assert sync.failure is not None
    assert "spec failed with exit code 126" in sync.failure


def test_the_catalog_is_asked_once_for_a_config(source: Source) -> None:
    for _ in range(2):
        source.sync(record("users", {"id": 1}))
    assert source.calls().count("discover") == 1
    source.config = {"other": 1}
    source.sync(record("users", {"id": 1}))
    assert source.calls().count("discover") == 2


def test_a_stream_that_the_source_does_not_have_is_named(source: Source) -> None:
    sync = source.open()
    source.scenario["catalog"] = {"streams": [{"name": "orders", "json_schema": {}}]}
    source.write()
    sync.run()
    assert sync.failure == ("connection scripted: the source has no stream users; it has: orders")


def test_secrets_show_neither_in_failures_nor_in_notes(source: Source) -> None:
    source.scenario["spec"] = SECRET_SPEC
    source.config = {"token": "s3cret-token"}
    log = {"type": "LOG", "log": {"level": "WARN", "message": "using s3cret-token"}}
    sync = source.sync({"say": log}, {"stderr": "bad token s3cret-token"}, {"exit": 1})
    assert source.seen("config") == {"token": "s3cret-token"}
    assert sync.failure is not None
    assert sync.failure.endswith("bad token ****")
    assert list(sync.notes) == [("WARN", "using ****")]
    ((stored,),) = source.rows("select failure from pipeline.sync")
    assert "s3cret-token" not in stored
    caches = [p for p in source.settings.data_dir.rglob("*") if p.is_file()]
    assert not any(b"s3cret-token" in path.read_bytes() for path in caches)


def test_a_config_that_the_connector_changes_is_used_from_then_on(source: Source) -> None:
    source.config = {"token": "old"}
    control = {
        "type": "CONNECTOR_CONFIG",
        "emitted_at": 1.0,
        "connectorConfig": {"config": {"token": "new"}},
    }
    source.sync({"say": {"type": "CONTROL", "control": control}}, {"exit": 1})
    source.sync(record("users", {"id": 1}))
    assert source.seen("config") == {"token": "new"}


def test_a_failed_check_gives_the_connectors_reason(source: Source) -> None:
    source.scenario["check"] = {"status": "FAILED", "message": "no such database"}
    connector = Connector(
        source.connection(),
        source.write(),
        source.settings.data_dir,
        10,
        threading.Event(),
        Scrubber(),
    )
    config = config_store.resolve(source.connection(), {}, source.settings.data_dir, {})
    keeper = ConfigKeeper(connector, config, {})
    with pytest.raises(ConnectorError, match="check failed: no such database"):
        connectors.check(connector, keeper)
