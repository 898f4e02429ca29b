"""A table that is built anew keeps what people have built on it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from atlas_dagster.catalog import Stream
from atlas_dagster.errors import WarehouseError
from atlas_dagster.layers.stream_columns import register_columns
from atlas_dagster.rules import StreamRules
from atlas_dagster.warehouse import PgConnection
from atlas_dagster_tests.layers.support import (
    at,
    chart,
    insert_explore,
    make_stream,
    navigate,
    start_layers,
)
from atlas_dagster_tests.properties.oracle import Version

OTHER_RULES = StreamRules(natural_key=(("name",),))


@pytest.fixture
def built(warehouse: PgConnection) -> Iterator[PgConnection]:
    """Chart and navigate of two versions of a user, and a role called ``atlas test analyst``."""
    start_layers(warehouse, users("integer"))
    stream = declare(warehouse, "integer")
    insert_explore(
        warehouse, stream, [Version(f"{n}", at(n), {"id": 1, "name": f"Ann {n}"}) for n in (1, 2)]
    )
    chart(warehouse, stream)
    navigate(warehouse, stream)
    warehouse.execute(
        'drop schema if exists mart cascade; create schema mart; create role "atlas test analyst"'
    )
    yield warehouse
    warehouse.execute('drop owned by "atlas test analyst"; drop role "atlas test analyst"')
    warehouse.execute("drop schema mart cascade")


def users(kind: str) -> Stream:
    return make_stream({"id": {"type": kind}, "name": {"type": "string"}})


def declare(connection: PgConnection, kind: str) -> Stream:
    return register_columns(connection, users(kind), "run")


def rebuild(connection: PgConnection) -> None:
    stream = declare(connection, "integer")
    assert chart(connection, stream, OTHER_RULES).rebuilt
    assert navigate(connection, stream, OTHER_RULES).rebuilt


def count(connection: PgConnection, relation: str) -> int:
    row = connection.execute(f"select count(*) from {relation}".encode()).fetchone()
    assert row is not None
    return int(row[0])


def test_views_on_the_tables_and_on_each_other_are_there_afterwards(built: PgConnection) -> None:
    built.execute(
        """
        create view mart.names as select name from navigate.crm__users;
        create view mart.current_names as select name from navigate.crm__users_current;
        create view mart.then as select * from navigate.crm__users_as_of('2024-01-01T12:00Z');
        create view mart."lengths; of names" with (security_barrier) as
            select length(name) as length from mart.names join mart.current_names using (name);
        create view mart.versions as select _airbyte_raw_id from chart.crm__users;
        create materialized view mart.total as select count(*) from mart.names;
        create unique index on mart.total (count);
        """
    )
    before = count(built, "mart.current_names")
    rebuild(built)
    assert (before, count(built, "mart.current_names")) == (1, 2)
    assert count(built, "mart.names") == count(built, "mart.versions") == 2
    assert count(built, "mart.then") == 1
    assert count(built, 'mart."lengths; of names"') == 2
    assert built.execute("select * from mart.total").fetchall() == [(2,)]
    built.execute("refresh materialized view concurrently mart.total")
    options = "select reloptions from pg_class where relname = 'lengths; of names'"
    assert built.execute(options).fetchone() == (["security_barrier=true"],)


def test_grants_are_there_afterwards(built: PgConnection) -> None:
    built.execute(
        """
        create view mart.names as select name from navigate.crm__users;
        grant select on navigate.crm__users, chart.crm__users to "atlas test analyst";
        grant select on navigate.crm__users_current to public;
        grant select on mart.names to "atlas test analyst" with grant option;
        """
    )
    rebuild(built)
    for relation, privilege in [
        ("navigate.crm__users", "SELECT"),
        ("navigate.crm__users_current", "SELECT"),
        ("chart.crm__users", "SELECT"),
        ("mart.names", "SELECT WITH GRANT OPTION"),
    ]:
        asked = built.execute(
            "select has_table_privilege('atlas test analyst', %s, %s)", (relation, privilege)
        )
        assert asked.fetchone() == (True,)


def test_a_view_that_does_not_fit_is_named_and_nothing_changes(built: PgConnection) -> None:
    built.execute("create view mart.next as select id + 1 as next from navigate.crm__users")
    stream = declare(built, "string")
    chart(built, stream)
    with pytest.raises(WarehouseError) as error:
        navigate(built, stream)
    assert str(error.value) == (
        "view mart.next does not fit the table that was built anew"
        " (operator does not exist: character varying + integer); drop it, or let it fit"
    )
    assert count(built, "mart.next") == 2


def test_what_cannot_be_made_again_is_named_and_nothing_changes(built: PgConnection) -> None:
    built.execute(
        "create function mart.first() returns navigate.crm__users"
        " language sql as 'select * from navigate.crm__users limit 1'"
    )
    stream = declare(built, "integer")
    chart(built, stream, OTHER_RULES)
    with pytest.raises(WarehouseError) as error:
        navigate(built, stream, OTHER_RULES)
    assert str(error.value) == (
        "navigate.crm__users has to be built anew, and function mart.first() depends on"
        " type navigate.crm__users; drop that first"
    )
    assert count(built, "navigate.crm__users_current") == 1
