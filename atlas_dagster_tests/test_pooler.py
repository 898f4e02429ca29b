"""PgBouncer between: what a transaction needs goes through it, what a session needs does not."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from atlas_dagster.errors import ConfigError, WarehouseError
from atlas_dagster.settings import load_settings
from atlas_dagster.warehouse import (
    connect,
    is_pooled,
    migrate,
    resolve_session_url,
)
from atlas_dagster_tests.pooler import pgbouncer

HERE = "select '2026-03-01 00:00'::timestamptz::text"


@pytest.fixture
def pooled_url(warehouse_url: str) -> Iterator[str]:
    """The warehouse through one server connection, which each transaction takes in turn."""
    with pgbouncer(warehouse_url, "transaction", size=1) as url:
        yield url


def test_a_pooler_is_told_from_the_server(warehouse_url: str, pooled_url: str) -> None:
    with connect(warehouse_url) as direct, connect(pooled_url) as pooled:
        assert not is_pooled(direct)
        assert is_pooled(pooled)


def test_our_time_zone_holds_though_others_share_the_session(pooled_url: str) -> None:
    with connect(pooled_url) as ours, psycopg.connect(pooled_url, autocommit=True) as theirs:
        theirs.execute("set timezone = 'Asia/Tokyo'")
        assert ours.execute(HERE).fetchone() == ("2026-03-01 00:00:00+00",)
        assert theirs.execute(HERE).fetchone() == ("2026-03-01 00:00:00+09",)
        assert ours.execute(HERE).fetchone() == ("2026-03-01 00:00:00+00",)


def test_nothing_is_prepared_in_a_session_of_others(pooled_url: str) -> None:
    with connect(pooled_url) as first, connect(pooled_url) as second:
        for _ in range(10):
            for connection in (first, second):
                assert connection.execute("select %s::int", (1,)).fetchone() == (1,)


def test_the_schema_migrates_through_a_pooler(empty_database_url: str) -> None:
    with pgbouncer(empty_database_url, "transaction", size=1) as url, connect(url) as connection:
        assert migrate(connection)[0] == "0001_pipeline"
        assert migrate(connection) == []


def test_what_needs_a_session_is_refused_a_pooler(pooled_url: str) -> None:
    settings = load_settings({"ATLAS_WAREHOUSE_URL": pooled_url})
    with pytest.raises(WarehouseError, match=r"is a pooler's.*in ATLAS_WAREHOUSE_SESSION_URL$"):
        resolve_session_url(settings)


def test_what_needs_a_session_goes_to_the_server(warehouse_url: str, pooled_url: str) -> None:
    direct = load_settings({"ATLAS_WAREHOUSE_URL": warehouse_url})
    assert resolve_session_url(direct) == warehouse_url
    both = {"ATLAS_WAREHOUSE_URL": pooled_url, "ATLAS_WAREHOUSE_SESSION_URL": warehouse_url}
    assert resolve_session_url(load_settings(both)) == warehouse_url


def test_a_session_url_alone_is_a_mistake() -> None:
    with pytest.raises(ConfigError, match=r"^ATLAS_WAREHOUSE_URL: not set, and ATLAS_WAREHOUSE_S"):
        load_settings({"ATLAS_WAREHOUSE_SESSION_URL": "postgresql://postgres@localhost/atlas"})
