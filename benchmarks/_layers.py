"""The layers of `_users.py`: a database, a layer built, a day on which users change."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from datetime import date, timedelta

from _measure import Server
from _users import RULES, STREAM, create_landing, land
from psycopg import sql

from atlas_dagster.catalog import Table
from atlas_dagster.layers.chart import build_chart
from atlas_dagster.layers.explore import load_explore
from atlas_dagster.layers.navigate import build_navigate
from atlas_dagster.warehouse import PgConnection, connect, identifier, migrate

LAYERS = ("explore", "chart", "navigate")
FIRST_DAY = date(2026, 1, 1)
SETS = 100  # a day changes the keys of one set, 1 %


@contextmanager
def landed_users(server: Server, database: str, keys: int) -> Generator[PgConnection]:
    """A fresh database in which so many users have landed on the first day."""
    with connect(server.url) as admin:
        admin.execute(
            sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(database))
        )
        admin.execute(sql.SQL("create database {}").format(sql.Identifier(database)))
    with connect(server.database_url(database)) as connection:
        migrate(connection)
        create_landing(connection)
        land(connection, FIRST_DAY, "", 1, keys, 1)
        connection.execute("vacuum analyze landing.faker__users")
        yield connection


def land_changes(connection: PgConnection, number: int, keys: int, key_set: int) -> date:
    """Land the new versions of a set's keys, which replace the old ones; returns their day."""
    day = FIRST_DAY + timedelta(days=number)
    with connection.transaction():
        connection.execute(
            "delete from landing.faker__users where mod(id, %s) = %s", (SETS, key_set)
        )
        land(connection, day, f"{number}/", key_set, keys, SETS)
    return day


def layer_table(layer: str) -> Table:
    return Table(layer, STREAM.table_name)


def drop_layers(connection: PgConnection, layers: Iterable[str] = LAYERS) -> None:
    for layer in layers:
        connection.execute(
            sql.SQL("drop table if exists {} cascade").format(identifier(layer_table(layer)))
        )


def build(connection: PgConnection, layer: str, first: date, last: date) -> None:
    """What the asset of a layer does, for a range of days."""
    if layer == "explore":
        load_explore(connection, STREAM, "run")
    elif layer == "chart":
        build_chart(connection, STREAM, RULES, first, last, "run")
    else:
        build_navigate(connection, STREAM, RULES, first, last, "run")


def require_rows(connection: PgConnection, table: Table, rows: int) -> None:
    row = connection.execute(
        sql.SQL("select count(*) from {}").format(identifier(table))
    ).fetchone()
    if row != (rows,):
        raise SystemExit(f"{table} holds {row} rows, not {rows}")
