"""What the tests of subjects share: a catalog, findings as of a scan, a look into every table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from psycopg import sql

from atlas_dagster.catalog import Stream
from atlas_dagster.catalog_store import load_stream, save_catalog
from atlas_dagster.layers.policy import NO_POLICY, StreamPolicy
from atlas_dagster.pii.findings import EntityFinding, FieldFindings
from atlas_dagster.pii.store import FieldScan, UnscannedDay, save_scan
from atlas_dagster.pii.verdict import Verdict
from atlas_dagster.rules import AtlasRules, ConnectionRules, StreamRules
from atlas_dagster.subjects.actions import Outcome, Subjects, erase_subject, find_subject
from atlas_dagster.subjects.erase import Mode
from atlas_dagster.subjects.wanted import read_wanted
from atlas_dagster.warehouse import PgConnection
from atlas_dagster_tests.layers.support import chart, load, navigate

SECRET = "a key of this test"
DESTINATION = {"destinationType": "postgres", "configuration": {"schema": "landing"}}
CDC = {"_ab_cdc_deleted_at": {"type": "string"}, "_ab_cdc_lsn": {"type": "number"}}


def catalogued(
    connection: PgConnection,
    properties: Mapping[str, Mapping[str, Any]],
    keys: Mapping[str, Sequence[Sequence[str]]] | None = None,
    mode: str = "append",
) -> list[Stream]:
    """The streams of the connection crm, by name and properties; the key is id unless given."""
    streams = [
        {
            "stream": {"name": name, "jsonSchema": {"properties": fields}},
            "config": {
                "syncMode": "incremental",
                "destinationSyncMode": mode,
                "primaryKey": [list(path) for path in (keys or {}).get(name, [["id"]])],
            },
        }
        for name, fields in properties.items()
    ]
    details = {
        "connectionId": "00000000-0000-0000-0000-000000000001",
        "name": "crm",
        "syncCatalog": {"streams": streams},
    }
    save_catalog(connection, "crm", details, DESTINATION)
    return [load_stream(connection, "crm", name) for name in properties]


def found(
    connection: PgConnection,
    stream: Stream,
    *paths: tuple[str, ...],
    day: date = date(2024, 1, 1),
    rows: int = 1,
    field_rows: int = 1,
    entity: str = "EMAIL_ADDRESS",
) -> None:
    """A scan of a day that found an entity in some fields, and nothing else."""
    finding = EntityFinding(entity, rows, rows, 1.0, 1.0, rows, rows)
    verdict = ("values", rows / field_rows, 1.0, 0.9, ("a test says so",))
    fields = [
        FieldScan(
            FieldFindings(path, field_rows, field_rows, (finding,)),
            (Verdict(path, entity, *verdict),),
        )
        for path in paths
    ]
    save_scan(
        connection,
        stream.table_name,
        UnscannedDay(day, field_rows),
        fields,
        recognizers="of a test",
        result={},
        run_id="run",
    )


def build(
    connection: PgConnection,
    stream: Stream,
    policy: StreamPolicy = NO_POLICY,
    rules: StreamRules | None = None,
) -> None:
    """Everything that landed, through all layers, under a policy."""
    load(connection, stream)
    chart(connection, stream, rules or StreamRules(), policy=policy)
    navigate(connection, stream, rules or StreamRules(), policy=policy)


def subjects(connection: PgConnection, rules: Mapping[str, StreamRules] | None = None) -> Subjects:
    """All streams, under rules by name."""
    rows = connection.execute("select connection, stream from pipeline.stream order by 1, 2")
    return Subjects(
        connection,
        tuple((str(slug), str(name)) for slug, name in rows.fetchall()),
        AtlasRules({"crm": ConnectionRules(streams=rules or {})}),
        SECRET,
    )


def find(
    connection: PgConnection, *values: str, keys: Sequence[str] = (), **rules: StreamRules
) -> Outcome:
    outcome = find_subject(subjects(connection, rules), read_wanted(values, keys))
    assert outcome.failures == [], "; ".join(outcome.failures)
    return outcome


def erase(
    connection: PgConnection,
    *values: str,
    keys: Sequence[str] = (),
    mode: Mode = Mode.REDACT,
    **rules: StreamRules,
) -> Outcome:
    outcome = erase_subject(subjects(connection, rules), read_wanted(values, keys), mode)
    assert outcome.failures == [], "; ".join(outcome.failures)
    return outcome


def places(connection: PgConnection, *texts: str) -> list[str]:
    """The tables, and the statistics of them, with one of the texts anywhere in a row."""
    tables = connection.execute(
        "select schemaname, tablename from pg_tables"
        " where schemaname in ('explore', 'chart', 'navigate', 'pipeline') order by 1, 2"
    ).fetchall()
    found = [
        f"{schema}.{table}"
        for schema, table in tables
        if _rows_with(connection, sql.Identifier(schema, table), texts)
    ]
    statistics = sql.SQL(
        "(select tablename, most_common_vals::text, histogram_bounds::text from pg_stats"
        " where schemaname <> 'landing')"
    )
    return found + (["pg_stats"] if _rows_with(connection, statistics, texts) else [])


def _rows_with(connection: PgConnection, table: sql.Composable, texts: Iterable[str]) -> bool:
    query = sql.SQL("select from {} as t where strpos(to_jsonb(t)::text, %s) > 0 limit 1")
    found = (connection.execute(query.format(table), (text,)).fetchone() for text in texts)
    return any(row is not None for row in found)


def check_counts(connection: PgConnection) -> None:
    """The row counts that are kept beside the tables are what the tables hold."""
    kept = connection.execute(
        "select layer, table_name, rows, current_rows from pipeline.layer_table"
    ).fetchall()
    for layer, name, rows, current in kept:
        table = sql.Identifier(layer, name)
        query = sql.SQL("select count(*) from {}").format(table)
        assert connection.execute(query).fetchone() == (rows,), (layer, name)
        if layer == "navigate":
            query = sql.SQL("select count(*) from {} where _atlas_is_current").format(table)
            assert connection.execute(query).fetchone() == (current,), (layer, name)
