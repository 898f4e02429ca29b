"""`atlas retention`, as an operator types it."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from click.testing import CliRunner

from atlas_dagster.cli_retention import retention
from atlas_dagster.errors import AtlasError
from atlas_dagster.warehouse import PgConnection
from atlas_dagster_tests.layers.support import (
    build,
    create_landing,
    land,
    load,
    make_stream,
    rows,
)
from atlas_dagster_tests.properties.oracle import Version

USERS = make_stream({"id": {"type": "integer"}})
ORDERS = make_stream({"id": {"type": "integer"}}, name="orders", slug="orders")


def ago(days: int) -> datetime:
    return datetime.now(timezone.utc) - timedelta(days=days)


@pytest.fixture
def crm(
    warehouse: PgConnection, warehouse_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> PgConnection:
    """Users of today, of 10 and of 11 days ago, kept for 10 days; orders, kept for ever."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ATLAS_WAREHOUSE_URL", warehouse_url)
    monkeypatch.delenv("ATLAS_PROJECT_DIR", raising=False)
    limit("crm: {streams: {users: {retention_days: 10}}}")
    for stream in (USERS, ORDERS):
        create_landing(warehouse, stream)
        versions = [Version(str(n), ago(n), {"id": n}) for n in (0, 10, 11)]
        land(warehouse, stream, versions)
        build(warehouse, stream)
    return warehouse


def limit(connections: str) -> None:
    file = Path("config/atlas.yaml")
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"connections: {{{connections}}}")


def run(*arguments: str) -> str:
    result = CliRunner().invoke(retention, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def explored(connection: PgConnection) -> list[int]:
    return [len(rows(connection, stream, "explore")) for stream in (USERS, ORDERS)]


def test_a_dry_run_says_what_would_go_and_drops_nothing(crm: PgConnection) -> None:
    assert run("--dry-run") == (
        f"crm/users: 1 version of 1 day before {ago(10).date()} would be dropped\n"
    )
    assert explored(crm) == [3, 3]


def test_old_versions_are_dropped_where_a_stream_has_a_limit(crm: PgConnection) -> None:
    assert run() == f"crm/users: 1 version of 1 day before {ago(10).date()} dropped\n"
    assert explored(crm) == [2, 3]
    assert run() == f"crm/users: 0 versions of 0 days before {ago(10).date()} dropped\n"


def test_a_stream_without_a_limit_is_left_alone_and_named(crm: PgConnection) -> None:
    assert run("crm/orders", "crm/users") == (
        "crm/orders: no retention_days, explore keeps all versions\n"
        f"crm/users: 1 version of 1 day before {ago(10).date()} dropped\n"
    )
    assert explored(crm) == [2, 3]


def test_what_chart_does_not_hold_is_said_to_stay(crm: PgConnection) -> None:
    land(crm, USERS, [Version("late", ago(20), {"id": 1})])
    load(crm, USERS)
    assert run("crm/users") == (
        f"crm/users: 1 version of 1 day before {ago(10).date()} dropped;"
        " 1 stay: not in chart yet, or still in landing\n"
    )


def test_without_any_limit_nothing_happens(crm: PgConnection) -> None:
    limit("")
    assert run() == "no stream has retention_days: explore keeps all versions\n"


def test_a_stream_that_was_never_loaded_has_nothing_to_drop(crm: PgConnection) -> None:
    limit("crm: {streams: {carts: {retention_days: 10}}}")
    assert run("crm/carts") == f"crm/carts: 0 versions of 0 days before {ago(10).date()} dropped\n"


@pytest.mark.parametrize("name", ["crm/user", "users", "crm", ""])
def test_an_unknown_stream_is_one_sentence_and_nothing_is_dropped(
    crm: PgConnection, name: str
) -> None:
    with pytest.raises(AtlasError) as error:
        run("crm/users", name)
    assert str(error.value) == f"no stream {name!r}; there are: crm/orders, crm/users"
    assert explored(crm) == [3, 3]
