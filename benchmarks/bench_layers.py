"""Explore, chart and navigate, beside what PostgreSQL can do at most and what is replaced.

The limit is `insert … select` of a layer's own rows between two unlogged tables of its shape. What
is replaced writes row by row with asyncpg and awaits each INSERT. A repetition loads all layers
anew and measures both peers after each of them. Then come days on which 1 % of the keys change.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import asyncpg
from _layers import (
    FIRST_DAY,
    LAYERS,
    SETS,
    build,
    drop_layers,
    land_changes,
    landed_users,
    layer_table,
    require_rows,
)
from _measure import (
    Cost,
    Server,
    at_least,
    at_most,
    machine,
    measured,
    median_cost,
    median_ratio,
    print_table,
    tell,
    throwaway_directory,
    throwaway_server,
)
from _users import land
from psycopg import sql

from atlas_dagster.catalog import Table
from atlas_dagster.warehouse import PgConnection, identifier

LIMIT_TARGET = 0.15
ROW_BY_ROW_TARGET = 20
DAY_TARGET_PERCENT = 5
SAMPLE = 5_000  # rows that the row-by-row writer writes; its rate does not depend on their number


@dataclass(frozen=True)
class Initial:
    """One repetition of a layer's initial load with its peers; rates in rows a second."""

    load: Cost
    limit: Cost
    row_by_row: float
    row_by_row_one_commit: float


@dataclass(frozen=True)
class Day:
    """What a day of changes costs a layer, by what kind of day it is."""

    changed: list[Cost]
    again: list[Cost]
    late: Cost
    late_first_day: Cost


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="20,000 rows, once, two days")
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000])
    options = parser.parse_args()
    sizes, repetitions, days = ([20_000], 1, 2) if options.quick else (options.rows, 3, 5)
    with throwaway_directory() as directory, throwaway_server(directory) as server:
        for rows in sizes:
            measure(server, rows, repetitions, days)


def measure(server: Server, rows: int, repetitions: int, days: int) -> None:
    tell(f"{rows:,} rows: landing")
    with landed_users(server, "layers", rows) as connection:
        loads: dict[str, list[Initial]] = {layer: [] for layer in LAYERS}
        for number in range(repetitions):
            tell(f"{rows:,} rows: repetition {number + 1}")
            drop_layers(connection)
            for layer in LAYERS:
                loads[layer].append(measure_initial(connection, server, layer, rows))
        size = record_size(connection)
        again = {layer: measure_day(connection, server, layer, FIRST_DAY) for layer in LAYERS}
        changes = measure_days(connection, server, rows, days)
    report_initial(loads, rows, size)
    report_days(loads, changes, again, rows)


def measure_initial(connection: PgConnection, server: Server, layer: str, rows: int) -> Initial:
    connection.execute("checkpoint")
    load = measure_day(connection, server, layer, FIRST_DAY)
    require_rows(connection, layer_table(layer), rows)
    limit = measure_limit(connection, server, layer)
    url = server.database_url(connection.info.dbname)
    one_by_one, one_commit = asyncio.run(write_row_by_row(url, layer_table(layer)))
    return Initial(load, limit, one_by_one, one_commit)


def measure_limit(connection: PgConnection, server: Server, layer: str) -> Cost:
    """The layer's rows from one unlogged table into another, without index or constraint."""
    connection.execute(
        sql.SQL("create unlogged table limit_from as select * from {}").format(
            identifier(layer_table(layer))
        )
    )
    connection.execute("create unlogged table limit_to (like limit_from)")
    connection.execute("checkpoint")
    cost, _ = measured(
        lambda: connection.execute("insert into limit_to select * from limit_from"), server
    )
    connection.execute("drop table limit_from, limit_to")
    return cost


async def write_row_by_row(url: str, table: Table) -> tuple[float, float]:
    """Rows a second of a writer that awaits each INSERT: each its own commit, and one for all.

    Into an empty table of the layer's shape, with its indexes and constraints.
    """
    source = identifier(table).as_string()
    connection = await asyncpg.connect(url)
    try:
        records = await connection.fetch(f"select * from {source} limit {SAMPLE}")
        width = len(records[0])
        holes = ", ".join(f"${i + 1}" for i in range(width))
        rates: list[float] = []
        for one_commit in (False, True):
            await connection.execute(f"create table written (like {source} including all)")
            statement = f"insert into written values ({holes})"
            began = time.perf_counter()
            if one_commit:
                async with connection.transaction():
                    await insert_each(connection, statement, records)
            else:
                await insert_each(connection, statement, records)
            rates.append(len(records) / (time.perf_counter() - began))
            await connection.execute("drop table written")
    finally:
        await connection.close()
    return rates[0], rates[1]


async def insert_each(connection: Any, statement: str, records: list[Any]) -> None:
    for record in records:
        await connection.execute(statement, *record)


def measure_days(connection: PgConnection, server: Server, rows: int, days: int) -> dict[str, Day]:
    """Days on which 1 % of the keys change, each built and built again; then late versions.

    Late versions come after all days and belong to the second day, and to the first, whose day
    holds every key.
    """
    changed: dict[str, list[Cost]] = {layer: [] for layer in LAYERS}
    again: dict[str, list[Cost]] = {layer: [] for layer in LAYERS}
    for number in range(1, days + 1):
        tell(f"{rows:,} rows: day {number + 1}")
        day = land_changes(connection, number, rows, number)
        for layer in LAYERS:
            changed[layer].append(measure_day(connection, server, layer, day))
        for layer in LAYERS:
            again[layer].append(measure_day(connection, server, layer, day))
    tell(f"{rows:,} rows: late versions")
    late = measure_late(connection, server, rows, FIRST_DAY + timedelta(days=1), 50)
    late_first = measure_late(connection, server, rows, FIRST_DAY, 51)
    return {
        layer: Day(changed[layer], again[layer], late[layer], late_first[layer]) for layer in LAYERS
    }


def measure_late(
    connection: PgConnection, server: Server, rows: int, day: date, key: int
) -> dict[str, Cost]:
    """Other versions of 1 % of the keys, of a day that was built long ago."""
    land(connection, day, f"late {key}/", key, rows, SETS)
    return {layer: measure_day(connection, server, layer, day) for layer in LAYERS}


def measure_day(connection: PgConnection, server: Server, layer: str, day: date) -> Cost:
    return measured(lambda: build(connection, layer, day, day), server)[0]


def record_size(connection: PgConnection) -> int:
    row = connection.execute(
        sql.SQL("select avg(octet_length(data::text)) from {}").format(
            identifier(layer_table("explore"))
        )
    ).fetchone()
    assert row
    return int(row[0])


def report_initial(loads: dict[str, list[Initial]], rows: int, size: int) -> None:
    table: list[list[str]] = []
    for layer, repetitions in loads.items():
        load = median_cost([r.load for r in repetitions])
        limit = median_cost([r.limit for r in repetitions])
        share = median_ratio((r.limit.wall, r.load.wall) for r in repetitions)
        cpu = median_ratio((r.limit.server, r.load.server) for r in repetitions)
        times = median_ratio((rows / r.load.wall, r.row_by_row) for r in repetitions)
        one_commit = statistics.median(r.row_by_row_one_commit for r in repetitions)
        table.append(
            [
                layer,
                f"{load.wall:.2f}",
                f"{load.server / rows * 1e6:.2f}",
                f"{rows / load.wall:,.0f}",
                f"{rows / limit.wall:,.0f}",
                f"{limit.server / rows * 1e6:.2f}",
                at_least(share, LIMIT_TARGET),
                f"{cpu:.2f}",
                f"{statistics.median(r.row_by_row for r in repetitions):,.0f}",
                at_least(times, ROW_BY_ROW_TARGET, 0),
                f"{one_commit:,.0f}",
            ]
        )
    print_table(
        f"Initial load of {rows:,} rows, 15 columns, {size} bytes a record,"
        f" {len(next(iter(loads.values())))} repetitions, medians ({machine()})",
        [
            "layer",
            "wall s",
            "server CPU us/row",
            "rows/s",
            "limit rows/s",
            "limit CPU us/row",
            "limit wall / wall",
            "by CPU",
            "row-by-row rows/s",
            "times row-by-row",
            "(in one commit rows/s)",
        ],
        table,
    )
    print(f"row-by-row: a sample of {SAMPLE:,} rows of the layer, taken as its rate for all rows")


def report_days(
    loads: dict[str, list[Initial]], changes: dict[str, Day], again: dict[str, Cost], rows: int
) -> None:
    figures = {
        layer: [
            median_cost([r.load for r in loads[layer]]).wall,
            median_cost(changes[layer].changed).wall,
            median_cost(changes[layer].changed).server,
            median_cost(changes[layer].again).wall,
            changes[layer].late.wall,
            changes[layer].late_first_day.wall,
            again[layer].wall,
        ]
        for layer in LAYERS
    }
    figures["sum"] = [sum(column) for column in zip(*figures.values(), strict=True)]
    first = {layer: changes[layer].changed[0].wall for layer in LAYERS}
    first["sum"] = sum(first.values())
    table = [
        [
            layer,
            f"{values[0]:.2f}",
            f"{first[layer]:.3f}",
            f"{values[1]:.3f}",
            f"{values[2]:.2f}",
            at_most(values[1] / values[0] * 100, DAY_TARGET_PERCENT, 1),
            *(f"{value:.3f}" for value in values[3:]),
        ]
        for layer, values in figures.items()
    ]
    count = len(changes[LAYERS[0]].changed)
    print_table(
        f"A day on which 1 % of {rows:,} keys change, {count} days, medians, wall seconds",
        [
            "layer",
            "initial",
            "first day",
            "a day",
            "its CPU",
            "% of initial",
            "day again",
            "late, small day",
            "late, first day",
            "first day again",
        ],
        table,
    )


if __name__ == "__main__":
    main()
