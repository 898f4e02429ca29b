<<<<<<< HEAD
"""Connections and streams as Airbyte tells of them, and the checks that follow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from atlas_dagster.catalog import Connection, DestinationMode, Stream, SyncMode
from atlas_dagster.catalog_answers import parse_columns
from atlas_dagster.quality.derive import derive_checks
from atlas_dagster.quality.spec import Check
from atlas_dagster.quality.surroundings import load_surroundings
from atlas_dagster.rules import AtlasRules, ConnectionRules, StreamRules
from atlas_dagster_tests.layers.support import make_stream

Properties = Mapping[str, Any]

INTEGER = {"type": "integer"}
STRING = {"type": "string"}
MAYBE = {"type": ["null", "string"]}
INSTANT = {"type": ["null", "string"], "format": "date-time"}
DAY = {"type": ["null", "string"], "format": "date"}


def stream(
    properties: Properties,
    *,
    name: str = "users",
    key: Sequence[Sequence[str]] = (("id",),),
    required: Sequence[str] = (),
    cursor: Sequence[str] = (),
    sync_mode: SyncMode = SyncMode.INCREMENTAL,
    destination_mode: DestinationMode = DestinationMode.APPEND_DEDUP,
    namespace: str | None = None,
) -> Stream:
    """A stream whose JSON schema has these properties."""
    slug = name if namespace is None else f"{namespace}_{name}"
    schema = {"properties": dict(properties), "required": list(required)}
    return replace(
        make_stream(properties, key=key, name=name, slug=slug),
        columns=parse_columns(schema, None),
        cursor=tuple(cursor),
        sync_mode=sync_mode,
        destination_mode=destination_mode,
        namespace=namespace,
    )


def connection(*streams: Stream, **overrides: Any) -> Connection:
    """An active connection that nobody schedules."""
    plain = Connection(
        id="00000000-0000-0000-0000-000000000001",
        name="crm",
        slug="crm",
        status="active",
        prefix="",
        namespace_definition="destination",
        namespace_format="",
        schedule_type="manual",
        cron=None,
        destination_type="postgres",
        streams=streams,
    )
    return replace(plain, **overrides)


def rules(cron: str | None = None, **streams: StreamRules) -> AtlasRules:
    return AtlasRules({"crm": ConnectionRules(cron=cron, streams=streams)})


def derived(
    first: Stream, *siblings: Stream, cron: str | None = None, **connection_keys: Any
) -> dict[str, Check]:
    """The checks of a stream, by name."""
    told = connection(first, *siblings, **connection_keys)
    around = load_surroundings(told, rules(cron))[first.slug]
    checks = derive_checks(first, around)
    assert len({check.name for check in checks}) == len(checks)
    return {check.name: check for check in checks}
=======
"""What the tests of quality share: checks in few words, a charted stream, outcomes by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from atlas_dagster.layers.chart import chart_table
from atlas_dagster.quality.engine import run_checks
from atlas_dagster.quality.queries import Scan
from atlas_dagster.quality.spec import (
    Check,
    Dimension,
    Json,
    Limit,
    NoParameters,
    Number,
    Operator,
    Outcome,
    Parameters,
    Rule,
    Threshold,
    Unit,
    UserParameters,
)
from atlas_dagster.warehouse import PgConnection
from atlas_dagster_tests.layers.support import at, chart, insert_explore, make_stream, start_layers
from atlas_dagster_tests.properties.oracle import Version

STREAM = make_stream(
    {
        "id": {"type": "integer"},
        "email": {"type": "string"},
        "country": {"type": "string"},
        "amount": {"type": "number"},
        "starts": {"type": "string", "format": "date-time"},
        "ends": {"type": "string", "format": "date-time"},
        "extra": {"type": "object"},
    }
)
CHART = chart_table(STREAM)
WHOLE = Scan(CHART)


def days(first: int, last: int | None = None) -> tuple[date, date]:
    """Days of January 2024."""
    return at(first).date(), at(last or first).date()


def above(value: Number, unit: Unit = Unit.COUNT) -> Limit:
    return Limit(Operator.GT, value, unit)


ABOVE_NONE = above(0)


def check(
    rule: Rule,
    *columns: str,
    given: Parameters | None = None,
    name: str | None = None,
    warn: Limit | None = None,
    fail: Limit | None = ABOVE_NONE,
    dimension: Dimension = Dimension.VALIDITY,
) -> Check:
    """A check that fails above 0, unless it says otherwise."""
    return Check(
        name=name or "__".join([rule.value, *columns]),
        rule=rule,
        dimension=dimension,
        columns=columns,
        description="",
        origin="a test",
        threshold=Threshold(warn, fail),
        parameters=given or NoParameters(),
    )


def user_check(type_: str, body: Mapping[str, Json], column: str | None = None) -> Check:
    """A check of Soda's language, named after its type."""
    columns = (column,) if column else ()
    return check(Rule.USER, *columns, given=UserParameters(type_, body, column), name=type_)


def record(number: int, day: int = 1, **fields: Any) -> Version:
    """The version of a record of a day of January 2024; ``id`` is its number."""
    return Version(f"raw-{day}-{number}", at(day), {"id": number, **fields})


def charted(connection: PgConnection, versions: Iterable[Version]) -> PgConnection:
    """The versions in explore and chart of the stream."""
    start_layers(connection, STREAM)
    insert_explore(connection, STREAM, versions)
    chart(connection, STREAM)
    return connection


def outcomes(
    connection: PgConnection, *checks: Check, scan: Scan = WHOLE, timeout: float = 60
) -> dict[str, Outcome]:
    """What comes of checks, by their names."""
    return {found.check.name: found for found in run_checks(connection, scan, checks, timeout)}


def outcome(connection: PgConnection, one: Check, scan: Scan = WHOLE) -> Outcome:
    return outcomes(connection, one, scan=scan)[one.name]


def counts(found: Outcome) -> tuple[str, int | None, int | None]:
    """Status, failed, tested."""
    return found.status.value, found.failed, found.tested
>>>>>>> cd69d60 (Test what each rule counts, and that a check which cannot run stops no other; only read while checking)
