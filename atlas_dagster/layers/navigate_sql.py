"""The SQL of navigate, rule by rule (docs/backfills-and-history.md, "How history is built")."""

from __future__ import annotations

from datetime import date

from psycopg import sql

from atlas_dagster.catalog import Stream
from atlas_dagster.days import of_days
from atlas_dagster.layers.navigate_ddl import navigate_identifier

# The last version of an instant decides it: by the source's own sequence, a deletion after an
# upsert, then the raw id by code point.
_DECIDING = sql.SQL(
    """_atlas_natural_key, _atlas_instant,
            _atlas_sequence desc nulls last, _atlas_deleted desc, _airbyte_raw_id desc"""
)


# What `event` says of each key, as segments: a change opens one and closes the one before it.
# A deletion, whose state is NULL, only closes.
_SEGMENTS = sql.SQL(
    """change as (
            select
                natural_key,
                instant,
                state,
                raw_id,
                lag(state) over (partition by natural_key order by instant) as state_before
            from event
        ),
        segment as (
            select
                natural_key,
                instant as valid_from,
                state,
                raw_id,
                lead(instant) over later as valid_to,
                lead(state) over later as next_state
            from change
            where state is distinct from state_before
            window later as (partition by natural_key order by instant)
        )"""
)

# A key that is there vanishes at the first snapshot after it was last heard of, unless something
# is heard of it by then: a snapshot that delivers a key has a version of it at its own instant.
_EVENTS_WITH_SNAPSHOTS = sql.SQL(
    """heard as (
            select
                *,
                lead(instant) over (partition by natural_key order by instant) as next_instant
            from history
        ),
        event as (
            select natural_key, instant, state, raw_id from history
            union all
            select heard.natural_key, gone.instant, null, null
            from heard
            cross join lateral (
                select min(snapshot.instant) as instant
                from snapshot
                where snapshot.instant > heard.heard_at
            ) as gone
            where heard.state is not null
                and gone.instant is not null
                and (heard.next_instant is null or gone.instant < heard.next_instant)
        ),
        """
)

_EVENTS = sql.SQL("event as (select natural_key, instant, state, raw_id from history),\n        ")


# The segment of a version's key at its instant. A look-up reads one segment, however many the key
# has; what a plain join reads of a key grows with its history.
_SEGMENT_LOOKED_UP = sql.SQL(
    """lateral (
                select *
                from {navigate}
                where _atlas_natural_key = version.natural_key
                    and _atlas_valid_from <= version.instant
                order by _atlas_valid_from desc
                limit 1
            ) as navigate
                on navigate._atlas_valid_to is null
                or version.instant < navigate._atlas_valid_to"""
)
_SEGMENT_JOINED = sql.SQL(
    """{navigate} as navigate
                on navigate._atlas_natural_key = version.natural_key
                and navigate._atlas_valid_from <= version.instant
                and (
                    navigate._atlas_valid_to is null
                    or version.instant < navigate._atlas_valid_to
                )"""
)

# The segments of a changed key that end after its change or at it; of those that opened before it,
# only the last one can.
_SEGMENTS_LOOKED_UP = sql.SQL(
    """lateral (
                (
                    select *
                    from {navigate}
                    where _atlas_natural_key = changed.natural_key
                        and _atlas_valid_from < changed.since
                    order by _atlas_valid_from desc
                    limit 1
                )
                union all
                select *
                from {navigate}
                where _atlas_natural_key = changed.natural_key
                    and _atlas_valid_from >= changed.since
            ) as navigate
            on navigate._atlas_valid_to is null or navigate._atlas_valid_to >= changed.since"""
)
_SEGMENTS_JOINED = sql.SQL(
    """{navigate} as navigate
            on navigate._atlas_natural_key = changed.natural_key
            and (navigate._atlas_valid_to is null or navigate._atlas_valid_to >= changed.since)"""
)


def _segments_of_history(with_snapshots: bool) -> sql.Composed:
    """SQL: from the common table expression `history` to `segment`."""
    return (_EVENTS_WITH_SNAPSHOTS if with_snapshots else _EVENTS) + _SEGMENTS


def create_table_from_chart(stream: Stream, run_id: str, *, with_snapshots: bool) -> sql.Composed:
    """SQL: the navigate table, made of all of chart."""
    return sql.SQL(
        """
        create table {navigate} as
        with history as (
            {versions}
        ),
        {segments}
        {rows}
        where segment.state is not null
        """
    ).format(
        navigate=navigate_identifier(stream),
        versions=_versions(sql.SQL("{} as chart").format(_chart(stream)), sql.SQL("true")),
        segments=_segments_of_history(with_snapshots),
        rows=segment_rows(stream, run_id, sql.SQL("segment")),
    )


def count_segments(stream: Stream) -> sql.Composed:
    """SQL: segments, and those that are current."""
    return sql.SQL(
        "select count(*), count(*) filter (where _atlas_valid_to is null) from {}"
    ).format(navigate_identifier(stream))


def create_day_versions(stream: Stream, days: tuple[date, date]) -> sql.Composed:
    """SQL: what the versions of some days say, one version an instant."""
    return sql.SQL("create temporary table day_version on commit drop as {}").format(
        _versions(
            sql.SQL("{} as chart").format(_chart(stream)),
            of_days(sql.SQL("chart._atlas_partition"), days),
        )
    )


def create_changed_keys(stream: Stream, *, few: bool) -> sql.Composed:
    """SQL: the keys of which navigate says something else than the days' versions, and since when.

    Where navigate already says the same at a version's instant, that version changes nothing.
    Where the versions are ``few``, each is looked up.
    """
    return sql.SQL(
        """
        create temporary table changed on commit drop as
        with dirty as (
            delete from pipeline.dirty_key
            where table_name = {table_name}
            returning natural_key, since
        )
        select natural_key, min(instant) as since
        from (
            select natural_key, since as instant from dirty
            union all
            select natural_key, instant from vanishing
            union all
            select version.natural_key, version.instant
            from day_version as version
            left join {segment}
            where version.state is distinct from navigate._atlas_row_hash
                or (
                    navigate._atlas_valid_from = version.instant
                    and navigate._airbyte_raw_id <> version.raw_id
                )
        ) as mark
        group by natural_key
        order by natural_key
        """
    ).format(
        table_name=sql.Literal(stream.table_name),
        segment=(_SEGMENT_LOOKED_UP if few else _SEGMENT_JOINED).format(
            navigate=navigate_identifier(stream)
        ),
    )


def forget_dirty_keys(stream: Stream) -> sql.Composed:
    """SQL: nothing is dirty where all of chart was taken."""
    return sql.SQL("delete from pipeline.dirty_key where table_name = {}").format(
        sql.Literal(stream.table_name)
    )


def create_stored(stream: Stream, *, few: bool) -> sql.Composed:
    """SQL: the segments of the changed keys that had not ended before the change.

    All that follows reads them here, so that navigate itself is searched once. Where the keys are
    ``few``, each is looked up.
    """
    return sql.SQL(
        """
        create temporary table stored on commit drop as
        select
            changed.since,
            changed.natural_key,
            navigate._atlas_valid_from as valid_from,
            navigate._atlas_valid_to as valid_to,
            navigate._atlas_closed_by as closed_by,
            navigate._atlas_row_hash as state,
            navigate._airbyte_raw_id as raw_id
        from changed
        join {segments}
        """
    ).format(
        segments=(_SEGMENTS_LOOKED_UP if few else _SEGMENTS_JOINED).format(
            navigate=navigate_identifier(stream)
        )
    )


def create_difference(stream: Stream, *, with_snapshots: bool) -> sql.Composed:
    """SQL: the segments that changed keys should have from then on, against the stored ones.

    The first row of a key may be the segment that is open just before: only its end can change.
    Segments that are as they should be are left out.
    """
    return sql.SQL(
        """
        create temporary table difference on commit drop as
        with version as (
            {versions}
        ),
        history as (
            select natural_key, instant, state, raw_id, heard_at from version
            union all
            select natural_key, valid_from, state, raw_id, since - interval '1 microsecond'
            from stored
            where valid_from < since
        ),
        {segments}
        select
            coalesce(target.natural_key, stored.natural_key) as natural_key,
            coalesce(target.valid_from, stored.valid_from) as valid_from,
            target.valid_to,
            target.state,
            target.next_state,
            target.raw_id,
            target.raw_id is not null as is_wanted,
            stored.raw_id is not null as is_stored,
            stored.valid_to is null as was_current
        from (select * from segment where state is not null) as target
        full join stored
            on stored.natural_key = target.natural_key
            and stored.valid_from = target.valid_from
            and stored.raw_id = target.raw_id
            and stored.state = target.state
        where target.raw_id is null
            or stored.raw_id is null
            or (stored.valid_to, stored.closed_by)
                is distinct from (target.valid_to, {closed_by})
        """
    ).format(
        versions=_versions(
            sql.SQL(
                """changed
            join {} as chart
                on chart._atlas_natural_key = changed.natural_key
                and chart._atlas_instant >= changed.since"""
            ).format(_chart(stream)),
            sql.SQL("true"),
        ),
        segments=_segments_of_history(with_snapshots),
        closed_by=closed_by(sql.SQL("target")),
    )


def _versions(source: sql.Composable, wanted: sql.Composable) -> sql.Composed:
    """SQL: one version per key and instant; ``state`` hashes its content, NULL for a deletion."""
    return sql.SQL(
        """
        select distinct on (_atlas_natural_key, _atlas_instant)
            _atlas_natural_key as natural_key,
            _atlas_instant as instant,
            case when not _atlas_deleted then _atlas_row_hash end as state,
            _airbyte_raw_id as raw_id,
            _atlas_instant as heard_at
        from {source}
        where _atlas_natural_key is not null and {wanted}
        order by {deciding}
        """
    ).format(source=source, wanted=wanted, deciding=_DECIDING)


def segment_rows(stream: Stream, run_id: str, segments: sql.Composable) -> sql.Composed:
    """SQL: segments as rows of navigate, with the columns of the version that opened each."""
    return sql.SQL(
        """select
            {chart_columns}
            md5(
                {label} || ' ' || extract(epoch from segment.valid_from) || ' '
                || segment.natural_key
            )::uuid as _atlas_surrogate_key,
            segment.natural_key as _atlas_natural_key,
            segment.valid_from as _atlas_valid_from,
            segment.valid_to as _atlas_valid_to,
            segment.valid_to is null as _atlas_is_current,
            {closed_by} as _atlas_closed_by,
            segment.state as _atlas_row_hash,
            segment.raw_id as _airbyte_raw_id,
            {run_id}::text as _atlas_run_id
        from {segments}
        join {chart} as chart on chart._airbyte_raw_id = segment.raw_id"""
    ).format(
        chart_columns=sql.SQL("").join(
            sql.SQL("chart.{}, ").format(sql.Identifier(column.layer)) for column in stream.columns
        ),
        label=sql.Literal(stream.label),
        closed_by=closed_by(sql.SQL("segment")),
        run_id=sql.Literal(run_id),
        segments=segments,
        chart=_chart(stream),
    )


def closed_by(segment: sql.Composable) -> sql.Composed:
    """SQL: what ended a segment, by the state that follows it."""
    return sql.SQL(
        "case when {0}.valid_to is null then null"
        " when {0}.next_state is null then 'delete' else 'update' end"
    ).format(segment)


def _chart(stream: Stream) -> sql.Identifier:
    return sql.Identifier("chart", stream.table_name)
