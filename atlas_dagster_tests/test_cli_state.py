"""`atlas state`, as an operator types it."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path

import pytest
from click.testing import CliRunner

from atlas_dagster.airbyte.refresh import refresh
from atlas_dagster.airbyte.snapshot import Snapshot, StoredConnection, save_snapshot
from atlas_dagster.airbyte.state import Entry, save
from atlas_dagster.catalog_store import save_catalog
from atlas_dagster.cli_state import state
from atlas_dagster.config import load_connections
from atlas_dagster.errors import AtlasError
from atlas_dagster.settings import load_settings
from atlas_dagster.warehouse import PgConnection, connect, session_lock
from atlas_dagster_tests.airbyte.api import environment
from atlas_dagster_tests.airbyte_server.double import AirbyteDouble
from atlas_dagster_tests.airbyte_server.ledger import stream

CONNECTIONS = """
connections:
  shop:
    source: airbyte-source-faker==7.2.1
    streams: [users, orders]
"""

EXPORTED = [
    {
        "type": "STREAM",
        "stream": {"stream_descriptor": {"name": name}, "stream_state": {"cursor": cursor}},
    }
    for name, cursor in (("orders", 7), ("users", 3))
]


@pytest.fixture
def project(tmp_path: Path, warehouse_url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "connections.yaml").write_text(CONNECTIONS)
    monkeypatch.setenv("ATLAS_PROJECT_DIR", str(tmp_path))
    monkeypatch.setenv("ATLAS_WAREHOUSE_URL", warehouse_url)
    return tmp_path


def run(*arguments: str) -> str:
    result = CliRunner().invoke(state, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def serve(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server's connection `crm`, in the catalog as last fetched, with a state."""
    monkeypatch.setenv("AIRBYTE_REST_API_BASE_URL", "http://127.0.0.1:1/api/public/v1")
    monkeypatch.setenv("AIRBYTE_CONFIGURATION_API_BASE_URL", "http://127.0.0.1:1/api/v1")
    monkeypatch.setenv("AIRBYTE_WORKSPACE_ID", "w-1")
    settings = load_settings()
    crm = StoredConnection("c-1", "CRM", "crm", {}, {})
    save_snapshot(settings, Snapshot("w-1", datetime.now(timezone.utc), [crm]))
    with connect(str(settings.warehouse_url)) as warehouse:
        save(warehouse, "c-1", [Entry("STREAM", "", "users", '{"cursor": 3}')], 7)


def test_the_state_of_a_server_is_shown_and_exported(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(monkeypatch)
    assert "users  version 1" in run("show", "crm")
    assert json.loads(run("export", "crm")) == EXPORTED[1:]


def test_the_state_of_a_server_is_changed_there_and_kept_here(
    project: Path, airbyte_server: AirbyteDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    crm = airbyte_server.ledger.add_connection("CRM", stream("users"), stream("orders"))
    for name, value in environment(airbyte_server).items():
        monkeypatch.setenv(name, value)
    refresh(load_settings())
    file = project / "state.json"
    file.write_text(json.dumps(EXPORTED))
    assert run("import", "crm", str(file)) == "crm: 2 pieces of state imported\n"
    assert run("reset", "crm", "--stream", "users") == "crm: 1 piece of state reset\n"
    assert airbyte_server.ledger.states[crm.id] == {
        "stateType": "stream",
        "streamState": [
            {
                "streamDescriptor": {"name": "orders", "namespace": None},
                "streamState": {"cursor": 7},
            }
        ],
    }
    assert json.loads(run("export", "crm")) == EXPORTED[:1]


def import_exported(project: Path) -> str:
    file = project / "state.json"
    file.write_text(json.dumps(EXPORTED))
    return run("import", "shop", str(file))


def test_what_is_imported_is_shown_and_exported_again(project: Path) -> None:
    assert run("show", "shop") == "shop has no state yet\n"
    assert import_exported(project) == "shop: 2 pieces of state imported\n"
    assert "orders  version 1" in run("show", "shop")
    assert json.loads(run("export", "shop")) == EXPORTED
    run("export", "shop", "--file", str(project / "out.json"))
    assert json.loads((project / "out.json").read_text()) == EXPORTED


def test_a_reset_forgets_one_stream_and_keeps_its_history(
    project: Path, warehouse: PgConnection
) -> None:
    import_exported(project)
    assert run("reset", "shop", "--stream", "users") == "shop: 1 piece of state reset\n"
    assert [
        m["stream"]["stream_descriptor"]["name"] for m in json.loads(run("export", "shop"))
    ] == ["orders"]
    assert "(reset)" in run("show", "shop")
    versions = warehouse.execute(
        "select version, state is null from pipeline.connector_state where name = 'users'"
        " order by version"
    ).fetchall()
    assert versions == [(1, False), (2, True)]


def test_state_is_left_alone_while_its_connection_is_synced(
    project: Path, warehouse_url: str
) -> None:
    import_exported(project)
    (embedded,) = load_connections(load_settings())
    with (
        connect(warehouse_url) as other,
        session_lock(other, f"sync/{embedded.id}", "busy"),
        pytest.raises(AtlasError, match="shop is being synced"),
    ):
        run("reset", "shop")
    assert json.loads(run("export", "shop")) == EXPORTED


def test_mistakes_name_the_connection_or_the_file(project: Path) -> None:
    with pytest.raises(AtlasError, match=r"^no connection 'x'; there are: shop"):
        run("show", "x")
    (project / "bad.json").write_text('{"not": "an array"}')
    with pytest.raises(AtlasError, match=r"bad\.json: not an array of AirbyteStateMessage"):
        run("import", "shop", str(project / "bad.json"))


def test_a_stream_that_is_not_there_is_not_reset(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_exported(project)
    with pytest.raises(AtlasError, match=r"^no stream 'usrs'; did you mean users\?$"):
        run("reset", "shop", "--stream", "usrs")
    with pytest.raises(AtlasError, match=r"^no stream 'public\.users'; expected one of"):
        run("reset", "shop", "--stream", "users", "--namespace", "public")
    assert json.loads(run("export", "shop")) == EXPORTED
    serve(monkeypatch)
    with pytest.raises(AtlasError, match=r"^no stream 'usrs'; did you mean users\?$"):
        run("reset", "crm", "--stream", "usrs")


def test_a_stream_without_state_is_reset_to_what_it_is(project: Path) -> None:
    assert run("reset", "shop", "--stream", "users") == "shop: 0 pieces of state reset\n"


@pytest.mark.parametrize("name", ["My Shop", "my_shop"])
def test_the_state_of_a_connection_that_was_taken_out_is_there(
    project: Path, warehouse: PgConnection, name: str
) -> None:
    file = project / "config" / "connections.yaml"
    file.write_text(CONNECTIONS.replace("shop:", "My Shop:"))
    (embedded,) = load_connections(load_settings())
    details = {"connectionId": embedded.id, "name": embedded.name}
    save_catalog(warehouse, embedded.slug, details, {})
    state_file = project / "state.json"
    state_file.write_text(json.dumps(EXPORTED))
    run("import", "my_shop", str(state_file))
    file.write_text("connections: {}")
    assert "orders  version 1" in run("show", name)
    assert json.loads(run("export", name)) == EXPORTED
    with pytest.raises(AtlasError, match=r"^no connection"):
        run("reset", name)
