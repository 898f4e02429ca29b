"""Checks by Soda beside the same counts as SQL written by hand, and beside pandas, in one run.

25 checks of one stream. The SQL is what one would write: an aggregate, the duplicates, the
references, the columns. Whatever is measured must count the same rows. The old way, the whole table
in a DataFrame, runs in a process of its own, and so does Atlas for that comparison.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

from _measure import (
    Cost,
    Server,
    at_least,
    at_most,
    machine,
    measured,
    median_ratio,
    peak_memory,
    print_table,
    tell,
    throwaway_directory,
    throwaway_server,
)
from psycopg import sql

from atlas_dagster.catalog import Table
from atlas_dagster.json_limits import ValueLimits
from atlas_dagster.quality.engine import run_checks
from atlas_dagster.quality.queries import Scan
from atlas_dagster.quality.score import score
from atlas_dagster.quality.spec import (
    Check,
    Dimension,
    DuplicateParameters,
    ExpectedColumn,
    FreshnessParameters,
    Limit,
    MissingParameters,
    NoParameters,
    Operator,
    PairParameters,
    Parameters,
    ReferenceParameters,
    RowCountParameters,
    Rule,
    SchemaParameters,
    TextDamageParameters,
    Threshold,
)
from atlas_dagster.quality.store import mark_rows
from atlas_dagster.warehouse import PgConnection, connect, migrate

RATIO, FIXED_MS, TIMES = 1.3, 150.0, 5.0

BIG_DAY = date(2026, 1, 1)
BIG, SMALL = Table("chart", "crm__customers"), Table("chart", "crm__small")
OTHER = Table("chart", "crm__countries")
DAMAGE = "[\x01-\x08\x0b\x0c\x0e-\x1f\x7f\ufffd]"
EMAIL = r"^[^@[:space:]]+@[^@[:space:]]+\.[^@[:space:]]+$"
UUID = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
COUNTRIES = ("FR", "DE", "US", "Côte d'Ivoire")

COLUMNS = {
    "id": "bigint",
    "email": "varchar",
    "first_name": "varchar",
    "last_name": "varchar",
    "country": "varchar",
    "amount": "numeric",
    "age": "bigint",
    "created_at": "timestamp with time zone",
    "updated_at": "timestamp with time zone",
    "site": "varchar",
    "token": "varchar",
    "active": "boolean",
    "extra": "jsonb",
    "born": "date",
    "note": "varchar",
}

FILL = """
create table {chart} as
select
    mixed.n as id,
    case when g %% 80 = 0 then null when g %% 97 = 0 then 'no address'
        else 'user' || g || '@example.com' end::varchar as email,
    ('First' || g %% 1000)::varchar as first_name,
    ('Last' || g %% 5000)::varchar as last_name,
    (array['FR', 'DE', 'US', 'Côte d''Ivoire', 'XX'])[1 + g %% 5]::varchar as country,
    (g %% 70000)::numeric / 100 as amount,
    (g %% 130)::bigint as age,
    now() - g * interval '1 second' as created_at,
    now() - g * interval '1 second' + (g %% 50 - 1) * interval '1 hour' as updated_at,
    ('https://example.com/' || g)::varchar as site,
    md5(g::text)::uuid::varchar as token,
    g %% 2 = 0 as active,
    jsonb_build_object('a', g) as extra,
    date '1950-01-01' + (g %% 20000)::int as born,
    ('note ' || g || case when g %% 500 = 0 then chr(65533) else ' is fine' end)::varchar as note,
    gen_random_uuid()::varchar as _airbyte_raw_id,
    now() - g * interval '1 second' as _airbyte_extracted_at,
    1::bigint as _atlas_sync_id,
    mixed.n::text collate "C" as _atlas_natural_key,
    now() as _atlas_instant,
    null::numeric as _atlas_sequence,
    false as _atlas_deleted,
    true as _atlas_valid,
    case when g %% 1000 = 0 then '{{"age": "old"}}'::jsonb end as _atlas_errors,
    g as _atlas_row_hash,
    true as _atlas_pii_checked,
    null::real as _atlas_quality_score,
    null::timestamptz as _atlas_validated_at,
    date '2026-01-01' as _atlas_partition,
    'run' as _atlas_run_id
from generate_series(1, %(rows)s::bigint) as g
cross join lateral (select (g * 7919) %% %(rows)s as n) as mixed
"""

BY_HAND = """
select
    count(*),
    count(*) filter (where id is null),
    count(*) filter (where email is null or email = ''),
    count(*) filter (where first_name is null),
    count(*) filter (where last_name is null),
    count(*) filter (where amount is null),
    count(*) filter (where created_at is null),
    count(*) filter (where email !~ {email}),
    count(*) filter (where token !~ {uuid}),
    count(*) filter (where site !~ '^https?://'),
    count(*) filter (where country not in ({countries})),
    count(*) filter (where age < 0 or age > 120),
    count(*) filter (where length(first_name) > 20),
    count(*) filter (where email ~ {damage}),
    count(*) filter (where first_name ~ {damage}),
    count(*) filter (where last_name ~ {damage}),
    count(*) filter (where site ~ {damage}),
    count(*) filter (where note ~ {damage}),
    count(*) filter (where _atlas_errors is not null),
    count(*) filter (where created_at > updated_at),
    count(email), count(token), count(site), count(country), count(age), count(first_name),
    count(last_name), count(note), count(*) filter (where num_nulls(created_at, updated_at) = 0),
    extract(epoch from now() - max(created_at))::float8,
    extract(epoch from now() - max(_airbyte_extracted_at))::float8
from {chart}
where not _atlas_deleted and _atlas_partition between '2026-01-01' and '2026-01-01'
"""

DUPLICATES_BY_HAND = """
select coalesce(sum(n - 1), 0)::bigint, coalesce(sum(n), 0)::bigint
from (
    select count(distinct _atlas_row_hash) as n
    from {chart}
    where not _atlas_deleted and _atlas_partition between '2026-01-01' and '2026-01-01'
        and _atlas_natural_key is not null
    group by _atlas_natural_key, _atlas_instant
) as key
"""

REFERENCES_BY_HAND = """
select count(*) filter (where referenced.code is null), count(*)
from {chart} as chart
left join (select distinct code from {other}) as referenced on referenced.code = chart.country
where not _atlas_deleted and _atlas_partition between '2026-01-01' and '2026-01-01'
    and chart.country is not null
"""

SCHEMA_BY_HAND = """
select column_name, data_type from information_schema.columns
where table_schema = %s and table_name = %s
"""


def make_checks() -> list[Check]:
    """25 checks, with names in the order of the columns written by hand."""

    def one(rule: Rule, *columns: str, given: Parameters | None = None, tail: str = "") -> Check:
        name = "__".join([rule.value, *columns]) + tail
        limit = Threshold(fail=Limit(Operator.GT, 0))
        return Check(
            name, rule, Dimension.VALIDITY, columns, "", "", limit, given or NoParameters()
        )

    def invalid(column: str, **given: Any) -> Check:
        return one(Rule.INVALID, column, given=ValueLimits(**given))

    expected = tuple(ExpectedColumn(name, kind) for name, kind in COLUMNS.items())
    return [
        one(Rule.ROW_COUNT, given=RowCountParameters(of_all_days=False)),
        *(
            one(Rule.MISSING, name, given=MissingParameters(name == "email"))
            for name in ("id", "email", "first_name", "last_name", "amount", "created_at")
        ),
        invalid("email", pattern=EMAIL),
        invalid("token", pattern=UUID),
        invalid("site", pattern="^https?://"),
        invalid("country", values=COUNTRIES),
        invalid("age", minimum=0, maximum=120),
        invalid("first_name", max_length=20),
        *(
            one(Rule.TEXT_DAMAGE, name, given=TextDamageParameters(DAMAGE))
            for name in ("email", "first_name", "last_name", "site", "note")
        ),
        one(Rule.CAST_LOSS),
        one(Rule.PAIR, given=PairParameters("created_at", "updated_at")),
        one(Rule.FRESHNESS, "created_at", given=FreshnessParameters()),
        one(Rule.FRESHNESS, "_airbyte_extracted_at", given=FreshnessParameters()),
        one(
            Rule.DUPLICATE,
            "_atlas_natural_key",
            given=DuplicateParameters(("_atlas_instant",), repeats_are_one=True),
        ),
        one(Rule.REFERENCE, "country", given=ReferenceParameters(OTHER, "code")),
        one(Rule.SCHEMA, given=SchemaParameters(expected)),
    ]


CHECKS = make_checks()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--alone", nargs=2, metavar=("WAY", "URL"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.alone:
        run_alone(*given.alone)
        return
    with (
        throwaway_directory() as directory,
        throwaway_server(directory / "server") as server,
        connect(server.url) as connection,
    ):
        fill(connection, given.rows)
        compare(connection, server, given.rows, given.rounds)
        small(connection, server)
        old_way(server, given.rows)
        score_rows(connection, server, given.rows)


def fill(connection: PgConnection, rows: int) -> None:
    tell(f"making {rows:,} rows")
    migrate(connection)
    for table, count in ((BIG, rows), (SMALL, 100)):
        name = sql.Identifier(table.schema, table.name)
        connection.execute(sql.SQL(FILL).format(chart=name), {"rows": count})
        for columns in ("_atlas_partition", "_atlas_natural_key, _atlas_instant"):
            connection.execute(sql.SQL("create index on {} ({})").format(name, sql.SQL(columns)))
        connection.execute(sql.SQL("vacuum analyze {}").format(name))
    connection.execute("create table chart.crm__countries (code varchar)")
    connection.execute("insert into chart.crm__countries values ('FR'), ('DE'), ('US')")


def by_hand(connection: PgConnection, table: Table) -> list[object]:
    """The figures of all checks, in their order."""
    values = {
        "chart": sql.Identifier(table.schema, table.name),
        "other": sql.Identifier(OTHER.schema, OTHER.name),
        "email": sql.Literal(EMAIL),
        "uuid": sql.Literal(UUID),
        "countries": sql.SQL(", ").join(map(sql.Literal, COUNTRIES)),
        "damage": sql.Literal(DAMAGE),
    }
    row = connection.execute(sql.SQL(BY_HAND).format(**values)).fetchone()
    assert row is not None
    duplicates = connection.execute(sql.SQL(DUPLICATES_BY_HAND).format(**values)).fetchone()
    references = connection.execute(sql.SQL(REFERENCES_BY_HAND).format(**values)).fetchone()
    assert duplicates is not None
    assert references is not None
    columns = dict(connection.execute(SCHEMA_BY_HAND, (table.schema, table.name)).fetchall())
    spelled = {"varchar": "character varying"}
    amiss = [n for n, kind in COLUMNS.items() if columns[n] != spelled.get(kind, kind)]
    return [*row[:20], duplicates[0], references[0], len(amiss)]


def by_atlas(connection: PgConnection, table: Table) -> list[object]:
    found = run_checks(connection, Scan(table, (BIG_DAY, BIG_DAY)), CHECKS)
    wrong = [one for one in found if one.status.value in ("error", "not_checked")]
    if wrong:
        raise SystemExit(f"not measured: {wrong}")
    return [round(one.value or 0) for one in found if one.check.rule is not Rule.FRESHNESS]


def compare(connection: PgConnection, server: Server, rows: int, rounds: int) -> None:
    """Both, in turn, with parallel plans as the server is set and without."""
    for parallel, kind in ((None, "parallel plans"), (0, "serial plans")):
        if parallel is not None:
            connection.execute("set max_parallel_workers_per_gather = 0")
        by_hand(connection, BIG)
        by_atlas(connection, BIG)
        costs: list[tuple[Cost, Cost]] = []
        for number in range(rounds):
            tell(f"{kind}, round {number + 1}")
            hand, expected = measured(lambda: by_hand(connection, BIG), server)
            atlas, found = measured(lambda: by_atlas(connection, BIG), server)
            if expected != found:
                raise SystemExit(f"by hand {expected}, by Atlas {found}")
            costs.append((hand, atlas))
        report(f"25 checks of {rows:,} rows x 15 columns, {kind}", costs)
    connection.execute("reset max_parallel_workers_per_gather")


def report(title: str, costs: Sequence[tuple[Cost, Cost]]) -> None:
    lines: list[list[str]] = []
    for place, name in enumerate(("SQL by hand", "Atlas")):
        figures = [
            statistics.median(figure(pair[place]) for pair in costs)
            for figure in (lambda c: c.wall, lambda c: c.server, lambda c: c.own)
        ]
        lines.append([name, *(f"{figure:.2f}" for figure in figures), "", ""])
    for column, figure in enumerate((lambda c: c.wall, lambda c: c.server)):
        ratio = median_ratio((figure(atlas), figure(hand)) for hand, atlas in costs)
        lines[1][4 + column] = at_most(ratio, RATIO)
    print_table(
        f"{title}, {len(costs)} rounds, medians ({machine()})",
        ["", "wall s", "server CPU s", "own CPU s", "wall ratio", "server ratio"],
        lines,
    )


def small(connection: PgConnection, server: Server, streams: int = 20) -> None:
    """What a stream of 100 rows costs once Soda is there."""
    by_atlas(connection, SMALL)
    costs = [measured(lambda: by_atlas(connection, SMALL), server)[0] for _ in range(streams)]
    hand = [measured(lambda: by_hand(connection, SMALL), server)[0] for _ in range(streams)]

    def median(found: Sequence[Cost], figure: Callable[[Cost], float]) -> float:
        return 1000 * statistics.median(map(figure, found))

    print_table(
        f"25 checks of 100 rows, {streams} times, medians ({machine()})",
        ["", "wall ms", "own CPU ms"],
        [
            ["SQL by hand", *(f"{median(hand, f):.0f}" for f in (_wall, _own))],
            [
                "Atlas",
                at_most(median(costs, _wall), FIXED_MS, 0),
                f"{median(costs, _own):.0f}",
            ],
        ],
    )


def _wall(cost: Cost) -> float:
    return cost.wall


def _own(cost: Cost) -> float:
    return cost.own


def score_rows(connection: PgConnection, server: Server, rows: int) -> None:
    """The score on every row, the first time and when it has not changed."""
    found = score(run_checks(connection, Scan(BIG, (BIG_DAY, BIG_DAY)), CHECKS))
    lines: list[list[str]] = []
    for kind, expected in (("first", rows), ("again", 0)):
        cost, marked = measured(
            lambda: mark_rows(connection, Scan(BIG, (BIG_DAY, BIG_DAY)), found), server
        )
        if marked != expected:
            raise SystemExit(f"{marked} rows got a score, not {expected}")
        lines.append([kind, f"{cost.wall:.2f}", f"{cost.server:.2f}"])
    print_table(f"the score on {rows:,} rows", ["", "wall s", "server CPU s"], lines)


def old_way(server: Server, rows: int) -> None:
    """The whole table in a DataFrame and the same checks there, each way in its own process."""
    ran = {way: alone(server, way) for way in ("pandas", "atlas")}
    if ran["pandas"]["figures"] != ran["atlas"]["figures"]:
        raise SystemExit(f"not the same: {ran}")
    lines = [
        [
            name,
            f"{ran[way]['wall']:.2f}",
            f"{ran[way]['own'] + ran[way]['server']:.2f}",
            f"{ran[way]['memory'] / 2**20:.0f}",
            "",
        ]
        for way, name in (("pandas", "the table in pandas"), ("atlas", "Atlas"))
    ]
    lines[1][4] = at_least(ran["pandas"]["wall"] / ran["atlas"]["wall"], TIMES, 1)
    print_table(
        f"{rows:,} rows, once ({machine()}); memory beyond what the imports take",
        ["", "wall s", "CPU s", "memory MB", "times as fast"],
        lines,
    )


def alone(server: Server, way: str) -> dict[str, Any]:
    tell(f"{way}, alone")
    served = server.cpu()
    ran = subprocess.run(
        [sys.executable, __file__, "--alone", way, server.url],
        check=True,
        capture_output=True,
        text=True,
    )
    return {**json.loads(ran.stdout), "server": server.cpu() - served}


def run_alone(way: str, url: str) -> None:
    work = {"pandas": by_pandas, "atlas": by_atlas}[way]
    with connect(url) as connection:
        work(connection, SMALL)  # imports what it needs
        held = peak_memory()
        cost, figures = measured(lambda: work(connection, BIG))
    print(
        json.dumps(
            {
                "wall": cost.wall,
                "own": cost.own,
                "memory": peak_memory() - held,
                "figures": figures,
            }
        )
    )


def by_pandas(connection: PgConnection, table: Table) -> list[object]:
    """The figures of all checks, in their order, from a DataFrame of all rows."""
    import pandas as pd

    cursor = connection.execute(
        sql.SQL("select {}, _atlas_errors, _atlas_natural_key, _atlas_instant from {}").format(
            sql.SQL(", ").join(map(sql.Identifier, COLUMNS)),
            sql.Identifier(table.schema, table.name),
        )
    )
    frame = pd.DataFrame(cursor.fetchall(), columns=[c.name for c in cursor.description or ()])
    codes = {row[0] for row in connection.execute("select code from chart.crm__countries")}
    texts = ("email", "first_name", "last_name", "site", "note")
    missing = [
        int(frame[name].isna().sum() + (frame[name] == "").sum() * (name == "email"))
        for name in ("id", "email", "first_name", "last_name", "amount", "created_at")
    ]
    shaped = [
        int((~frame[name].dropna().str.contains(pattern)).sum())
        for name, pattern in (
            ("email", EMAIL.replace("[:space:]", r"\s")),
            ("token", UUID),
            ("site", "^https?://"),
        )
    ]
    return [
        len(frame),
        *missing,
        *shaped,
        int((~frame["country"].isin(COUNTRIES)).sum()),
        int(((frame["age"] < 0) | (frame["age"] > 120)).sum()),
        int((frame["first_name"].str.len() > 20).sum()),
        *(int(frame[name].str.contains(DAMAGE, na=False).sum()) for name in texts),
        int(frame["_atlas_errors"].notna().sum()),
        int((frame["created_at"] > frame["updated_at"]).sum()),
        int(frame.duplicated(["_atlas_natural_key", "_atlas_instant"]).sum()),
        int((~frame["country"].isin(codes)).sum()),
        0,
    ]


if __name__ == "__main__":
    main()
