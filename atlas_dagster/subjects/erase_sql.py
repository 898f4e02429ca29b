"""The SQL of an erasure, over the temporary tables that a search has filled."""

from __future__ import annotations

from psycopg import sql
from typing_extensions import LiteralString

from atlas_dagster.catalog import Stream
from atlas_dagster.layers import chart_sql
from atlas_dagster.subjects.redact_sql import redacted_data
from atlas_dagster.subjects.search_sql import in_json, is_segment
from atlas_dagster.subjects.streams import SearchedStream

SET_FIELD: LiteralString = (
    "update subject_version set data = jsonb_set(data, array[%s]::text[], %s::jsonb)"
    " where _airbyte_raw_id = %s"
)


def redact_versions(searched: SearchedStream) -> list[sql.Composed]:
    """SQL: take the person out of the versions that were found: of explore's, and chart's own."""
    return [
        sql.SQL("update subject_version as version set data = {} where {}").format(
            redacted_data(searched, in_explore=in_explore),
            sql.SQL("in_explore" if in_explore else "not in_explore"),
        )
        for in_explore in (True, False)
    ]


def left_texts(searched: SearchedStream) -> sql.Composed:
    """SQL: the fields that take any text and still have a wanted value in theirs."""
    typed = [c.name for c in searched.charted.columns if not searched.is_text(c.name)]
    return sql.SQL(
        """
        select version._airbyte_raw_id, field.name, field.value::text
        from subject_version as version
        cross join lateral jsonb_each(version.data) as field (name, value)
        where not field.name = any ({typed}::text[])
            and exists (
                select from subject_value
                where is_raw and strpos(field.value::text, {needle}) > 0
            )
        """
    ).format(typed=sql.Literal(typed), needle=in_json(sql.SQL("subject_value.value")))


def update_explore(stream: Stream) -> sql.Composed:
    """SQL: the versions of explore become what they were made."""
    return sql.SQL(
        """
        update {explore} as explored
        set data = version.data
        from subject_version as version
        where version._airbyte_raw_id = explored._airbyte_raw_id
            and version.data <> explored.data
        """
    ).format(explore=sql.Identifier("explore", stream.table_name))


def delete_explored(stream: Stream) -> sql.Composed:
    """SQL: the versions that were found leave explore."""
    return sql.SQL(
        "delete from {} where _airbyte_raw_id in (select _airbyte_raw_id from subject_version)"
    ).format(sql.Identifier("explore", stream.table_name))


def versions_to_chart(searched: SearchedStream) -> sql.Composed:
    """SQL: the versions that chart had, policed; what only chart has was so before."""
    explored = chart_sql.explored(
        searched.charted,
        searched.policy,
        sql.SQL("(select * from subject_version where in_explore and in_chart)"),
    )
    columns = sql.SQL(
        "_airbyte_raw_id, _airbyte_extracted_at, _atlas_sync_id, _atlas_partition, data"
    )
    return sql.SQL(
        "(select {columns} from {explored} as explored"
        " union all select {columns} from subject_version where not in_explore)"
    ).format(columns=columns, explored=explored)


def delete_segments(stream: Stream) -> sql.Composed:
    """SQL: the segments of the person's keys leave navigate; counts them, and the current ones."""
    return sql.SQL(
        """
        with gone as (
            delete from {navigate} as navigate
            where {is_segment}
            returning navigate._atlas_is_current as was_current
        )
        select count(*), count(*) filter (where was_current) from gone
        """
    ).format(navigate=sql.Identifier("navigate", stream.table_name), is_segment=is_segment())


def forget_dirty_keys(stream: Stream) -> sql.Composed:
    """SQL: forget which of the person's keys navigate has not followed yet."""
    return sql.SQL(
        "delete from pipeline.dirty_key where table_name = {}"
        " and natural_key in (select natural_key from subject_key)"
    ).format(sql.Literal(stream.table_name))


def delete_samples(stream: Stream) -> sql.Composed:
    """SQL: what quality checks show of the person's rows goes; the next scan shows others."""
    return sql.SQL(
        """
        delete from pipeline.quality_failed_row as sample
        using pipeline.quality_score as score
        where score.scan_id = sample.scan_id
            and score.table_name = {table_name}
            and (
                sample.raw_id in (select _airbyte_raw_id from subject_version)
                or sample.natural_key in (select natural_key from subject_key)
            )
        """
    ).format(table_name=sql.Literal(stream.table_name))


def mark_dirty_keys(stream: Stream) -> sql.Composed:
    """SQL: let navigate follow the keys that the changed versions have in chart now."""
    return sql.SQL(
        """
        insert into pipeline.dirty_key as dirty (table_name, natural_key, since)
        select distinct {table_name}, chart._atlas_natural_key, '-infinity'::timestamptz
        from {chart} as chart
        where chart._atlas_natural_key is not null
            and (
                chart._airbyte_raw_id in (select _airbyte_raw_id from subject_version)
                or chart._atlas_natural_key in (select natural_key from subject_key)
            )
        on conflict (table_name, natural_key) do update set since = excluded.since
        """
    ).format(
        table_name=sql.Literal(stream.table_name),
        chart=sql.Identifier("chart", stream.table_name),
    )
