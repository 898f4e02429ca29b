"""What was erased, and so is not taken from landing again.

Landing holds erased rows until they go at the source. The versions that explore had are known by
their raw ids. Others may be on their way, extracted before the erasure and landed after it: these
are known by digests of the keys and of the personal values that were erased.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg import sql
from psycopg.types.json import Jsonb

from atlas_dagster.catalog import Stream, Table
from atlas_dagster.layers.field_sql import holds_value, value_text
from atlas_dagster.layers.landing_source import LandingSource, landed_rows
from atlas_dagster.pii_rules import Path
from atlas_dagster.warehouse import PgConnection, identifier, table_exists


@dataclass(frozen=True)
class Erasures:
    """What of a stream was erased: ``keys`` are read from these fields, values from ``personal``.

    The instants are those of the last erasure: what was extracted later is not looked at.
    """

    has_versions: bool
    keys: tuple[tuple[Path, ...], ...]
    keys_until: datetime | None
    values_until: datetime | None
    personal: tuple[Path, ...]


def unerased_rows(
    connection: PgConnection, stream: Stream, source: LandingSource, run_id: str, since: int | None
) -> sql.Composed:
    """SQL: landed rows as explore rows, as `landed_rows` has them, but those that were erased."""
    erasures = load_erasures(connection, stream)
    if not (erasures.has_versions or erasures.keys or erasures.personal):
        return landed_rows(source, run_id, since)
    chosen = [_VERSION_STAYS.format(table=sql.Literal(stream.table_name), raw_id=source.raw_id)]
    explore = Table("explore", stream.table_name)
    if table_exists(connection, explore):  # what it has is not looked into: digests cost more
        chosen.append(is_unknown(explore, source))
    rows = landed_rows(source, run_id, since, sql.SQL(" and ").join(chosen))
    conditions = _conditions(stream, erasures)
    if not conditions:
        return rows
    # Without `offset 0` the data of a row would be made anew for each field that is looked into.
    return sql.SQL("select landed.* from ({} offset 0) as landed where {}").format(
        rows, sql.SQL(" and ").join(conditions)
    )


def is_unknown(explore: Table, source: LandingSource) -> sql.Composed:
    """SQL: the condition on landing that explore does not have a row."""
    return sql.SQL("not exists (select from {} as known where known._airbyte_raw_id = {})").format(
        identifier(explore), source.raw_id
    )


def load_erasures(connection: PgConnection, stream: Stream) -> Erasures:
    """What of a stream was erased; one question where that is nothing."""
    row = connection.execute(
        """
        select
            exists (select from pipeline.erased_version where table_name = %(table)s),
            (select max(erased_at) from pipeline.erased_key where table_name = %(table)s),
            (select max(erased_at) from pipeline.erased_value)
        """,
        {"table": stream.table_name},
    ).fetchone()
    has_versions, keys_until, values_until = row or (False, None, None)
    return Erasures(
        has_versions,
        keys=_key_fields(connection, stream) if keys_until else (),
        keys_until=keys_until,
        values_until=values_until,
        personal=_personal_fields(connection, stream) if values_until else (),
    )


def _key_fields(connection: PgConnection, stream: Stream) -> tuple[tuple[Path, ...], ...]:
    rows = connection.execute(
        "select distinct paths from pipeline.erased_key where table_name = %s",
        (stream.table_name,),
    ).fetchall()
    return tuple(tuple(tuple(path) for path in paths) for (paths,) in rows)


def _personal_fields(connection: PgConnection, stream: Stream) -> tuple[Path, ...]:
    rows = connection.execute(
        "select distinct path from pipeline.pii_finding"
        " where table_name = %s and verdict is not null",
        (stream.table_name,),
    ).fetchall()
    return tuple(tuple(path) for (path,) in rows)


def _conditions(stream: Stream, erasures: Erasures) -> list[sql.Composable]:
    """SQL: what holds of rows that are not erased; digests are made of late ones alone."""
    table = sql.Literal(stream.table_name)
    conditions: list[sql.Composable] = [
        _KEY_STAYS.format(
            until=sql.Literal(erasures.keys_until),
            table=table,
            paths=sql.Literal(Jsonb([list(path) for path in paths])),
            digest=_digest(key_text(sql.SQL("landed.data"), paths)),
        )
        for paths in erasures.keys
    ]
    if erasures.personal:
        conditions.append(
            _VALUES_STAY.format(
                until=sql.Literal(erasures.values_until),
                holds=holds_value(sql.SQL("landed.data"), erasures.personal, _is_erased),
            )
        )
    return conditions


_VERSION_STAYS = sql.SQL(
    """not exists (
                select from pipeline.erased_version as erased
                where erased.table_name = {table} and erased.raw_id = {raw_id}
            )"""
)

_KEY_STAYS = sql.SQL(
    """(
                landed._airbyte_extracted_at > {until}
                or not exists (
                    select from pipeline.erased_key as erased
                    where erased.table_name = {table}
                        and erased.paths = {paths}
                        and erased.digest = {digest}
                        and erased.erased_at >= landed._airbyte_extracted_at
                )
            )"""
)

_VALUES_STAY = sql.SQL("(landed._airbyte_extracted_at > {until} or not {holds})")


def _is_erased(text: sql.Composable) -> sql.Composable:
    return sql.SQL(
        """exists (
                select from pipeline.erased_value as erased
                where erased.digest = {}
                    and erased.erased_at >= landed._airbyte_extracted_at
            )"""
    ).format(_digest(text))


def _digest(text: sql.Composable) -> sql.Composable:
    """SQL: `pipeline.subject_digest`, for very many texts: the salt is read once."""
    return sql.SQL(
        "sha256((select salt from pipeline.subject_salt) || convert_to({}, 'UTF8'))"
    ).format(text)


def key_text(data: sql.Composable, paths: Sequence[Path]) -> sql.Composed:
    """SQL: the parts of a key in raw data, as one text; NULL where one of them is."""
    parts = sql.SQL(", ").join(
        value_text(sql.SQL("({} #> {})").format(data, sql.Literal(list(path)))) for path in paths
    )
    return sql.SQL("case when num_nulls({0}) = 0 then jsonb_build_array({0})::text end").format(
        parts
    )


def save_erased_values(connection: PgConnection, values: Sequence[str]) -> None:
    """No version is taken any more that holds one of these values and was extracted by now."""
    with connection.cursor() as cursor:
        cursor.executemany(
            """
            insert into pipeline.erased_value as erased (digest, erased_at)
            values (pipeline.subject_digest(%s), clock_timestamp())
            on conflict (digest) do update set erased_at = excluded.erased_at
            """,
            [(value,) for value in values],
        )


def save_erased_versions(
    connection: PgConnection, stream: Stream, key: Sequence[Path], versions: sql.Composable
) -> None:
    """Nor are these versions, or any of their keys that was extracted by now.

    ``versions`` is a relation with ``_airbyte_raw_id``, ``in_explore``, and ``data`` as it was.
    """
    table = sql.Literal(stream.table_name)
    connection.execute(
        sql.SQL(
            "insert into pipeline.erased_version (table_name, raw_id)"
            " select {}, _airbyte_raw_id from {} as version on conflict do nothing"
        ).format(table, versions)
    )
    if not key:
        return
    connection.execute(
        sql.SQL(
            """
            insert into pipeline.erased_key as erased (table_name, paths, digest, erased_at)
            select {table}, {paths}, pipeline.subject_digest(key), clock_timestamp()
            from (
                select distinct {key} as key from {versions} as version where in_explore
            ) as keyed
            where key is not null
            on conflict (table_name, paths, digest) do update set erased_at = excluded.erased_at
            """
        ).format(
            table=table,
            paths=sql.Literal(Jsonb([list(path) for path in key])),
            key=key_text(sql.SQL("version.data"), key),
            versions=versions,
        )
    )
