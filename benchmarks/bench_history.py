"""History as it grows: a month of days on which 1 % of the keys change, and its backfill.

All that is ours runs in a process of its own, whose memory is measured too. Beside it, on the same
rows and server: dlt's `scd2` and dbt snapshots. Of these the whole command counts, as nothing
less runs; ours are calls of the engine, and the seconds that a peer spends in SQL are printed too.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import statistics
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from _layers import (
    FIRST_DAY,
    LAYERS,
    SETS,
    build,
    drop_layers,
    land_changes,
    landed_users,
    layer_table,
)
from _measure import (
    Cost,
    Server,
    at_least,
    at_most,
    compile_bytecode,
    machine,
    measured,
    median_cost,
    peak_memory,
    print_table,
    tell,
    throwaway_directory,
    throwaway_server,
    total_cost,
)
from _peers import Peer, PeerError, Run, install_dbt, install_dlt, require_versions
from _users import STREAM
from psycopg import sql

from atlas_dagster.layers.navigate_changes_sql import BOOKKEEPING
from atlas_dagster.warehouse import PgConnection, identifier

FLAT_TARGET = 1.3
DAY_TARGET_PERCENT = 5
BACKFILL_TARGET = 1.5
MEMORY_TARGET = 200
PEER_TARGET = 3

ENDS = 5  # days at either end that are compared
HOT_SETS = 10  # the sets of keys that change in turn
SLOW_PEERS = 500_000  # keys from which a peer may take minutes a day, and has one day
BUILT = ("chart", "navigate")  # what a backfill builds from explore
ORDERS = ("oldest first", "shuffled", "one range")


@dataclass(frozen=True)
class Step:
    """What it cost to build a layer once, and the bytes of WAL."""

    cost: Cost
    wal: int


@dataclass(frozen=True)
class Backfill:
    """What it cost to build chart and navigate again, and whether navigate is the same."""

    cost: Mapping[str, Cost]
    same: bool


@dataclass(frozen=True)
class History:
    """A straight pass over some days, each step by layer; backfills by their order."""

    keys: int
    initial: Mapping[str, Step]
    days: Mapping[str, Sequence[Step]]
    backfills: Mapping[str, Backfill]
    memory: int


@dataclass(frozen=True)
class Increments:
    """A peer's initial load and its days, or why there are none."""

    name: str
    initial: Run | None = None
    days: Sequence[Run] = ()
    failure: str = ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="20,000 keys, ten days")
    parser.add_argument("--keys", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--skip-peers", action="store_true")
    parser.add_argument("--peers-keys", type=int, help="other than --keys, for the peers and us")
    parser.add_argument("--peers-days", type=int, help="their increments, 3; 1 for many keys")
    options = parser.parse_args()
    compile_bytecode()
    keys, days = (20_000, 10) if options.quick else (options.keys, options.days)
    peers_keys = options.peers_keys or keys
    peers_days = options.peers_days or (1 if peers_keys >= SLOW_PEERS else 3)
    with throwaway_directory() as directory, throwaway_server(directory) as server:
        ours = in_own_process(server, keys, days, backfills=True)
        report_days(ours)
        report_backfills(ours)
        print(f"\npeak memory of our process, MB: {at_most(ours.memory / 1e6, MEMORY_TARGET, 0)}")
        if not options.skip_peers:
            if peers_keys != keys:
                ours = in_own_process(server, peers_keys, peers_days, backfills=False)
            report_peers(measure_peers(server, directory, peers_keys, peers_days), ours)


def in_own_process(server: Server, keys: int, days: int, *, backfills: bool) -> History:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as process:
        return process.submit(measure_history, server, keys, days, backfills).result()


def measure_history(server: Server, keys: int, days: int, backfills: bool) -> History:
    tell(f"{keys:,} keys: landing")
    with landed_users(server, "history", keys) as connection:
        connection.execute("checkpoint")
        tell(f"{keys:,} keys: initial load")
        initial = {layer: measure_step(connection, server, layer, FIRST_DAY) for layer in LAYERS}
        steps: dict[str, list[Step]] = {layer: [] for layer in LAYERS}
        for number in range(1, days + 1):
            tell(f"{keys:,} keys: day {number}")
            day = land_changes(connection, number, keys, number % HOT_SETS)
            for layer in LAYERS:
                steps[layer].append(measure_step(connection, server, layer, day))
        done = measure_backfills(connection, server, days) if backfills else {}
    return History(keys, initial, steps, done, peak_memory())


def measure_step(connection: PgConnection, server: Server, layer: str, day: date) -> Step:
    before = written(connection)
    cost, _ = measured(lambda: build(connection, layer, day, day), server)
    return Step(cost, written(connection) - before)


def written(connection: PgConnection) -> int:
    """Bytes of WAL so far."""
    row = connection.execute(
        "select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint"
    ).fetchone()
    assert row
    return int(row[0])


def measure_backfills(connection: PgConnection, server: Server, days: int) -> dict[str, Backfill]:
    """Build chart and navigate again out of explore, in several orders."""
    straight = checksum(connection)
    every = [FIRST_DAY + timedelta(days=number) for number in range(days + 1)]
    singly = [(day, day) for day in every]
    orders = dict(zip(ORDERS, (singly, shuffled(singly), [(every[0], every[-1])]), strict=True))
    done: dict[str, Backfill] = {}
    for order, ranges in orders.items():
        tell(f"backfill: {order}")
        drop_layers(connection, BUILT)
        connection.execute("checkpoint")
        costs: dict[str, list[Cost]] = {layer: [] for layer in BUILT}
        for first, last in ranges:
            for layer in BUILT:
                cost, _ = measured(lambda: build(connection, layer, first, last), server)  # noqa: B023
                costs[layer].append(cost)
        total = {layer: total_cost(costs[layer]) for layer in BUILT}
        done[order] = Backfill(total, same=checksum(connection) == straight)
    return done


def shuffled(ranges: list[tuple[date, date]]) -> list[tuple[date, date]]:
    return random.Random(3).sample(ranges, len(ranges))


def checksum(connection: PgConnection) -> tuple[int, int]:
    """The rows of navigate: how many, and a sum over all columns but the run id."""
    names = [*(column.layer for column in STREAM.columns), *BOOKKEEPING]
    query = sql.SQL("select count(*), sum(hashtextextended(row({})::text, 0)) from {}").format(
        sql.SQL(", ").join(sql.Identifier(name) for name in names if name != "_atlas_run_id"),
        identifier(layer_table("navigate")),
    )
    row = connection.execute(query).fetchone()
    assert row
    return int(row[0]), int(row[1])


def measure_peers(server: Server, directory: Path, keys: int, days: int) -> list[Increments]:
    url = server.database_url("peers")
    done: list[Increments] = []
    peers: list[Peer] = []
    for name, install in (("dlt", install_dlt), ("dbt", install_dbt)):
        tell(f"installing {name}")
        try:
            peers += install(directory, url)
        except PeerError as error:
            done.append(Increments(name, failure=f"does not install: {error}"))
    with landed_users(server, "peers", keys) as connection:
        runs: dict[Peer, list[Run]] = {peer: [] for peer in peers}
        failures: dict[Peer, str] = {}
        for number in range(days + 1):
            day = land_changes(connection, number, keys, number % HOT_SETS) if number else None
            for peer in [peer for peer in peers if peer not in failures]:
                tell(f"{keys:,} keys: {peer.name}, day {number}")
                try:
                    runs[peer].append(peer.run(day))
                    require_versions(connection, peer, keys + number * (keys // SETS))
                except PeerError as error:
                    failures[peer] = str(error)
    return done + [
        Increments(peer.name, failure=failures[peer])
        if peer in failures
        else Increments(peer.name, runs[peer][0], runs[peer][1:])
        for peer in peers
    ]


def report_days(ours: History) -> None:
    initial = {**ours.initial, "sum": total_step(list(ours.initial.values()))}
    days = {**ours.days, "sum": by_day(ours, LAYERS)}
    changed = ours.keys // SETS
    rows: list[list[str]] = []
    for layer, load in initial.items():
        walls = [step.cost.wall for step in days[layer]]
        a_day = median_cost([step.cost for step in days[layer]])
        rows.append(
            [
                layer,
                f"{load.cost.wall:.2f}",
                f"{load.cost.server:.2f}",
                f"{load.wal / ours.keys:,.0f}",
                f"{walls[0]:.3f}",
                f"{a_day.wall:.3f}",
                f"{a_day.server:.3f}",
                at_most(
                    statistics.mean(walls[-ENDS:]) / statistics.mean(walls[:ENDS]), FLAT_TARGET
                ),
                at_most(a_day.wall / load.cost.wall * 100, DAY_TARGET_PERCENT, 1),
                f"{a_day.server / load.cost.server * 100:.1f}",
                f"{statistics.median(step.wal for step in days[layer]) / changed:,.0f}",
            ]
        )
    print_table(
        f"{ours.keys:,} keys, {len(days['sum'])} days on which 1 % of them change, medians,"
        f" seconds ({machine()})",
        [
            "layer",
            "initial wall",
            "its server CPU",
            "its WAL bytes/row",
            "first day",
            "a day",
            "its server CPU",
            f"last {ENDS} / first {ENDS} days",
            "a day, % of initial",
            "by CPU",
            "WAL bytes / changed row",
        ],
        rows,
    )


def report_backfills(ours: History) -> None:
    straight = {layer: total_step([ours.initial[layer], *ours.days[layer]]).cost for layer in BUILT}
    whole = total_cost(list(straight.values()))
    rows = [["straight pass", *seconds(straight, whole), "", "", ""]]
    for order, backfill in ours.backfills.items():
        cost = total_cost(list(backfill.cost.values()))
        rows.append(
            [
                order,
                *seconds(backfill.cost, cost),
                at_most(cost.wall / whole.wall, BACKFILL_TARGET),
                f"{cost.server / whole.server:.2f}",
                "yes" if backfill.same else "NO",
            ]
        )
    print_table(
        f"Backfill of all days, {ours.keys:,} keys: chart and navigate dropped and built again,"
        " wall seconds",
        ["order", *BUILT, "sum", "its server CPU", "/ straight pass", "by CPU", "same navigate"],
        rows,
    )


def seconds(costs: Mapping[str, Cost], whole: Cost) -> list[str]:
    walls = [*(costs[layer].wall for layer in BUILT), whole.wall, whole.server]
    return [f"{wall:.2f}" for wall in walls]


def report_peers(peers: Sequence[Increments], ours: History) -> None:
    ran = [peer for peer in peers if peer.initial]
    if ran:
        report_increments(ran, ours)
    for peer in peers:
        if peer.failure:
            print(f"{peer.name}: {peer.failure}")


def report_increments(peers: Sequence[Increments], ours: History) -> None:
    count = len(peers[0].days)
    layers, navigate = (
        median_cost([step.cost for step in by_day(ours, names)[:count]]).wall
        for names in (LAYERS, ("navigate",))
    )
    rows: list[list[str]] = []
    for peer in peers:
        wall = statistics.median(run.wall for run in peer.days)
        in_sql = statistics.median(run.sql for run in peer.days)
        loads = [f"{run.wall:.1f} ({run.sql:.1f})" for run in (peer.initial, *peer.days) if run]
        rows.append(
            [
                peer.name,
                loads[0],
                ", ".join(loads[1:]),
                at_least(wall / layers, PEER_TARGET, 1),
                at_least(wall / navigate, PEER_TARGET, 1),
                f"{in_sql / layers:.1f}",
                f"{in_sql / navigate:.1f}",
            ]
        )
    print_table(
        f"Other tools, {ours.keys:,} keys: the command's wall seconds (those in SQL, by its own"
        f" account); ratios by the median of {count} increments of 1 %",
        [
            "peer",
            "initial",
            "increments",
            "/ ours, three layers",
            "/ navigate alone",
            "in SQL / ours",
            "in SQL / navigate",
        ],
        rows,
    )
    print(
        f"ours on the same days: {layers:.3f} for three layers, {navigate:.3f} for navigate alone"
    )


def by_day(ours: History, layers: Sequence[str]) -> list[Step]:
    """Each day as one step through some layers."""
    return [
        total_step(steps) for steps in zip(*(ours.days[layer] for layer in layers), strict=True)
    ]


def total_step(steps: Sequence[Step]) -> Step:
    return Step(total_cost([step.cost for step in steps]), sum(step.wal for step in steps))


if __name__ == "__main__":
    main()
