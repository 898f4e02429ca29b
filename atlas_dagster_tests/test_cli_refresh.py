"""`atlas refresh`, as an operator types it."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from atlas_dagster.airbyte.snapshot import load_snapshot
from atlas_dagster.cli_refresh import refresh, refresh_if_set
from atlas_dagster.errors import AirbyteError, ConfigError
from atlas_dagster.settings import load_settings
from atlas_dagster_tests.airbyte.api import environment
from atlas_dagster_tests.airbyte_server.double import AirbyteDouble, Answer
from atlas_dagster_tests.airbyte_server.ledger import stream


@pytest.fixture
def server(
    airbyte_server: AirbyteDouble,
    tmp_path: Path,
    warehouse_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> AirbyteDouble:
    monkeypatch.setenv("ATLAS_PROJECT_DIR", str(tmp_path))
    monkeypatch.setenv("ATLAS_WAREHOUSE_URL", warehouse_url)
    for name, value in environment(airbyte_server).items():
        monkeypatch.setenv(name, value)
    airbyte_server.ledger.add_connection("shop", stream("users"), stream("orders"))
    return airbyte_server


def run() -> Result:
    return CliRunner().invoke(refresh)


def test_it_says_what_it_fetched(server: AirbyteDouble) -> None:
    result = run()
    assert (result.exit_code, result.output) == (0, "1 connection, 2 streams\n")


def test_it_says_what_is_wrong_with_single_connections(server: AirbyteDouble) -> None:
    server.ledger.add_connection("crm", stream("a", primaryKey="id"))
    result = run()
    assert result.exit_code == 0
    assert result.stdout == "2 connections, 2 streams\n"
    assert result.stderr.startswith("atlas: crm: connection crm: syncCatalog")


def test_it_fails_where_an_old_catalog_serves(server: AirbyteDouble) -> None:
    run()
    server.misbehave("GET .*/workspaces/", Answer(401))
    error = run().exception
    assert isinstance(error, AirbyteError)
    assert str(error).startswith("Airbyte wants credentials")
    assert str(error).endswith(" serves")


def test_a_wrong_workspace_is_one_sentence(
    server: AirbyteDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRBYTE_WORKSPACE_ID", "w-2")
    error = run().exception
    assert isinstance(error, ConfigError)
    assert str(error).endswith("shows no workspace w-2")


def test_a_start_goes_on_where_it_fails(
    server: AirbyteDouble, capsys: pytest.CaptureFixture[str]
) -> None:
    server.misbehave("GET .*/workspaces/", Answer(403))
    refresh_if_set(load_settings())
    assert "atlas: AIRBYTE_WORKSPACE_ID" in capsys.readouterr().err
    refresh_if_set(load_settings())
    assert load_snapshot(load_settings()) is not None
