"""The SQL of the search for a person. What is wanted is in temporary tables, never in a query."""

from __future__ import annotations

from collections.abc import Container, Sequence

from psycopg import sql
from typing_extensions import LiteralString

from atlas_dagster.catalog import Stream, Table
from atlas_dagster.layers import chart_sql
from atlas_dagster.layers.erased import is_unknown
from atlas_dagster.layers.field_sql import holds_value
from atlas_dagster.layers.history_rules import HistoryRules
from atlas_dagster.layers.landing_source import LandingSource, landed_rows
from atlas_dagster.layers.version_sql import bounded_key
from atlas_dagster.pii_rules import Action
from atlas_dagster.subjects.streams import SearchedStream
from atlas_dagster.subjects.wanted import Wanted
from atlas_dagster.warehouse import identifier

CREATE_WANTED: LiteralString = """
create temporary table subject_value (value text not null, is_raw boolean not null) on commit drop;
create temporary table subject_wanted_key (natural_key text not null) on commit drop
"""

HASH_WANTED: LiteralString = (
    "insert into subject_value"
    " select pipeline.pii_hash(value), false from subject_value where is_raw"
)

CREATE_NOTHING: LiteralString = """
create temporary table subject_key (natural_key text) on commit drop;
create temporary table subject_version (
    _airbyte_raw_id text, natural_key text, data jsonb, in_explore boolean, in_chart boolean
) on commit drop
"""


def insert_wanted_key(searched: SearchedStream) -> sql.Composed:
    """SQL: a key as it is without the policy, and as chart has it; its parts are parameters."""
    raw = [
        sql.SQL("{}::text").format(sql.Placeholder(str(i))) for i in range(len(searched.key) or 1)
    ]
    policed = [
        sql.SQL("pipeline.pii_hash({})").format(part)
        if searched.key and searched.policy.action(searched.key[i]) is Action.HASH
        else part
        for i, part in enumerate(raw)
    ]
    return sql.SQL(
        "insert into subject_wanted_key"
        " select {bounded} from (values ({raw}), ({policed})) as given (key)"
    ).format(
        bounded=bounded_key(sql.SQL("key")), raw=_joined_key(raw), policed=_joined_key(policed)
    )


def _joined_key(parts: Sequence[sql.Composable]) -> sql.Composable:
    if len(parts) == 1:
        return parts[0]
    return sql.SQL("jsonb_build_array({})::text").format(sql.SQL(", ").join(parts))


def create_match(
    searched: SearchedStream, wanted: Wanted, server_version: int, present: Container[str]
) -> sql.Composed:
    """SQL: the raw ids of the versions that hold a wanted value or have a wanted key."""
    sources: list[sql.Composable] = []
    by_value = bool(wanted.values and searched.personal)
    by_key = bool(wanted.keys_of(searched))
    if by_value and "explore" in searched.layers:
        sources.append(_explored_by_value(searched))
    if by_key and "explore" in searched.layers:
        sources.append(
            _keyed(
                searched.stream,
                searched.raw_rules,
                sql.SQL("_atlas_natural_key in (select natural_key from subject_wanted_key)"),
                sql.SQL("true"),
                server_version,
            )
        )
    if by_value and "chart" in searched.layers:
        sources.append(_forgotten_by_value(searched, present))
    if by_key and "chart" in searched.layers:
        sources.append(
            sql.SQL(
                "select _airbyte_raw_id, null::text from {} where _atlas_natural_key"
                " in (select natural_key from subject_wanted_key)"
            ).format(_table("chart", searched))
        )
    return sql.SQL(
        "create temporary table subject_match on commit drop as"
        " select distinct _airbyte_raw_id as raw_id from ({}) as found"
    ).format(sql.SQL(" union all ").join(sources or [_NOTHING]))


_NOTHING = sql.SQL("select null::text as _airbyte_raw_id, null::text limit 0")


def _explored_by_value(searched: SearchedStream) -> sql.Composed:
    return sql.SQL(
        """
        select explored._airbyte_raw_id, null::text
        from {explore} as explored
        where {holds}
        """
    ).format(
        explore=_table("explore", searched),
        holds=holds_value(sql.SQL("explored.data"), searched.personal, _is_wanted_raw),
    )


def _forgotten_by_value(searched: SearchedStream, present: Container[str]) -> sql.Composed:
    """What explore has dropped may be in chart as it was, or hashed."""
    return sql.SQL(
        """
        select chart._airbyte_raw_id, null::text
        from {chart} as chart
        cross join lateral (select {data} as data offset 0) as charted
        where {forgotten} and {holds}
        """
    ).format(
        chart=_table("chart", searched),
        data=chart_sql.charted_data(searched.charted, present),
        forgotten=_forgotten(searched),
        holds=holds_value(sql.SQL("charted.data"), searched.personal, _is_wanted),
    )


def _is_wanted_raw(text: sql.Composable) -> sql.Composable:
    return sql.SQL("{} = any (array(select value from subject_value where is_raw))").format(text)


def _is_wanted(text: sql.Composable) -> sql.Composable:
    return sql.SQL("{} = any (array(select value from subject_value))").format(text)


def create_key(searched: SearchedStream, server_version: int) -> sql.Composed:
    """SQL: the natural keys of the versions that match, as chart has them."""
    sources: list[sql.Composable] = []
    if "explore" in searched.layers:
        sources.append(
            _keyed(
                searched.keyed,
                searched.key_rules,
                sql.SQL("true"),
                sql.SQL("explored._airbyte_raw_id in (select raw_id from subject_match)"),
                server_version,
            )
        )
    if "chart" in searched.layers:
        sources.append(
            sql.SQL(
                "select _airbyte_raw_id, _atlas_natural_key from {}"
                " where _airbyte_raw_id in (select raw_id from subject_match)"
            ).format(_table("chart", searched))
        )
    return sql.SQL(
        """
        create temporary table subject_key on commit drop as
        select distinct _atlas_natural_key as natural_key
        from ({}) as found
        where _atlas_natural_key is not null
        """
    ).format(sql.SQL(" union all ").join(sources))


def create_version(
    searched: SearchedStream, server_version: int, present: Container[str]
) -> sql.Composed:
    """SQL: the versions that match, and all others of their keys.

    Those that only chart has come with what it has of them.
    """
    sources: list[sql.Composable] = []
    if "explore" in searched.layers:
        sources.append(_explored_versions(searched, server_version))
    if "chart" in searched.layers:
        sources.append(
            _CHARTED_VERSIONS.format(
                chart=_table("chart", searched),
                data=chart_sql.charted_data(searched.charted, present),
                forgotten=_forgotten(searched),
            )
        )
    return sql.SQL("create temporary table subject_version on commit drop as {}").format(
        sql.SQL(" union all ").join(sources)
    )


def _explored_versions(searched: SearchedStream, server_version: int) -> sql.Composed:
    keyed = _keyed(
        searched.keyed,
        searched.key_rules,
        sql.SQL("_atlas_natural_key in (select natural_key from subject_key)"),
        sql.SQL("true"),
        server_version,
    )
    in_chart: sql.Composable = sql.SQL("false")
    if "chart" in searched.layers:
        in_chart = sql.SQL(
            "exists (select from {} as chart"
            " where chart._airbyte_raw_id = explored._airbyte_raw_id)"
        ).format(_table("chart", searched))
    return sql.SQL(
        """
        select
            explored._airbyte_raw_id,
            explored._airbyte_extracted_at,
            explored._atlas_sync_id,
            explored._atlas_partition,
            explored.data,
            true as in_explore,
            {in_chart} as in_chart
        from {explore} as explored
        where explored._airbyte_raw_id in (
            select raw_id from subject_match
            union all
            select _airbyte_raw_id from ({keyed}) as keyed
        )
        """
    ).format(explore=_table("explore", searched), in_chart=in_chart, keyed=keyed)


_CHARTED_VERSIONS = sql.SQL(
    """
        select
            chart._airbyte_raw_id,
            chart._airbyte_extracted_at,
            chart._atlas_sync_id,
            chart._atlas_partition,
            charted.data,
            false as in_explore,
            true as in_chart
        from {chart} as chart
        cross join lateral (select {data} as data offset 0) as charted
        where {forgotten}
            and (
                chart._airbyte_raw_id in (select raw_id from subject_match)
                or chart._atlas_natural_key in (select natural_key from subject_key)
            )
        """
)


def _keyed(
    stream: Stream,
    rules: HistoryRules,
    chosen: sql.Composable,
    wanted: sql.Composable,
    server_version: int,
) -> sql.Composed:
    """SQL: raw ids of explore with their natural keys; no more of the rows is computed."""
    rows = chart_sql.typed_rows(
        stream, rules, chart_sql.explored(stream, rules.policy), wanted, "", server_version
    )
    return sql.SQL(
        "select _airbyte_raw_id, _atlas_natural_key from ({}) as typed_version where {}"
    ).format(rows, chosen)


def _forgotten(searched: SearchedStream) -> sql.Composable:
    if "explore" not in searched.layers:
        return sql.SQL("true")
    return sql.SQL(
        "not exists (select from {} as explored"
        " where explored._airbyte_raw_id = chart._airbyte_raw_id)"
    ).format(_table("explore", searched))


def count_versions(searched: SearchedStream) -> sql.Composed:
    """SQL: the rows of explore, chart and navigate that are of the versions found."""
    segments: sql.Composable = sql.SQL("0")
    if "navigate" in searched.layers:
        segments = sql.SQL("(select count(*) from {} as navigate where {})").format(
            _table("navigate", searched), is_segment()
        )
    return sql.SQL(
        "select count(*) filter (where in_explore), count(*) filter (where in_chart), {}"
        " from subject_version"
    ).format(segments)


def is_segment() -> sql.Composable:
    """SQL: whether a segment is of a key or a version that was found."""
    return sql.SQL(
        """(
            navigate._atlas_natural_key in (select natural_key from subject_key)
            or navigate._airbyte_raw_id in (select _airbyte_raw_id from subject_version)
        )"""
    )


def count_landed(searched: SearchedStream, wanted: Wanted, source: LandingSource) -> sql.Composed:
    """SQL: the rows of landing that are of the versions found, or not in explore with the value."""
    found = sql.SQL("{} in (select _airbyte_raw_id from subject_version)").format(source.raw_id)
    by_version = sql.SQL("select count(*) from {} as landed where {}").format(
        identifier(source.table), found
    )
    if not (wanted.values and searched.personal):
        return by_version
    chosen = sql.SQL("not {}").format(found)
    if "explore" in searched.layers:
        explore = Table("explore", searched.stream.table_name)
        chosen = sql.SQL("{} and {}").format(chosen, is_unknown(explore, source))
    # Without `offset 0` the data of a row would be made anew for each field that is looked into.
    return sql.SQL(
        "select ({by_version}) + (select count(*) from ({rows} offset 0) as landed where {holds})"
    ).format(
        by_version=by_version,
        rows=landed_rows(source, "", None, chosen),
        holds=holds_value(sql.SQL("landed.data"), searched.personal, _is_wanted_raw),
    )


def count_elsewhere(searched: SearchedStream) -> sql.Composed:
    """SQL: the other versions of explore with a wanted value anywhere in their text."""
    return sql.SQL(
        """
        select count(*)
        from {explore} as explored
        where exists (
                select from subject_value
                where is_raw and strpos(explored.data::text, {needle}) > 0
            )
            and not exists (
                select from subject_version as found
                where found._airbyte_raw_id = explored._airbyte_raw_id
            )
        """
    ).format(explore=_table("explore", searched), needle=in_json(sql.SQL("value")))


def in_json(text: sql.Composable) -> sql.Composed:
    """SQL: a text as it stands in a JSON document, without its quotes."""
    return sql.SQL("regexp_replace(to_jsonb({}::text)::text, '^\"|\"$', '', 'g')").format(text)


def _table(layer: str, searched: SearchedStream) -> sql.Identifier:
    return sql.Identifier(layer, searched.stream.table_name)
