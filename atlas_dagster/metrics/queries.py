"""The queries of a scrape: each is about all connections or streams at once, and reads by indexes.

A query gives rows of labels, then the value; NULL of a value that is not known yet.
"""

from __future__ import annotations

SYNCS = """
with recursive connection as (  -- the distinct ones, an index entry each
    (select connection_id from pipeline.sync order by connection_id limit 1)
    union all
    select (
        select next.connection_id from pipeline.sync as next
        where next.connection_id > connection.connection_id
        order by next.connection_id limit 1
    )
    from connection where connection.connection_id is not null
)
select
    coalesce(catalog.connection, connection.connection_id) as connection,
    extract(epoch from succeeded.ended_at)::float8 as last_success,
    extract(epoch from ended.ended_at)::float8 as last_end,
    extract(epoch from ended.ended_at - ended.created_at)::float8 as duration,
    (ended.status = 'succeeded')::int::float8 as is_success,
    (
        select count(*)::float8 from pipeline.sync as running
        where running.connection_id = connection.connection_id
            and running.status in ('pending', 'running')
    ) as running
from connection
left join pipeline.catalog using (connection_id)
left join lateral (
    select * from pipeline.sync as one
    where one.connection_id = connection.connection_id and one.status = 'succeeded'
    order by job_id desc limit 1
) as succeeded on true
left join lateral (
    select * from pipeline.sync as one
    where one.connection_id = connection.connection_id
        and one.status in ('succeeded', 'failed', 'cancelled')
    order by job_id desc limit 1
) as ended on true
where connection.connection_id is not null
"""

SYNC_COUNTS = """
select coalesce(catalog.connection, connection_id), status, count(*)::float8
from pipeline.sync
left join pipeline.catalog using (connection_id)
where status in ('succeeded', 'failed', 'cancelled')
group by 1, 2
"""

STREAM_SYNCS = """
select
    stream.connection,
    stream.stream,
    last.records_committed::float8 as records,
    last.bytes_committed::float8 as bytes
from pipeline.stream
cross join lateral (
    select sync_stream.* from pipeline.sync_stream
    where sync_stream.connection_id = stream.connection_id
        and sync_stream.namespace = stream.namespace
        and sync_stream.name = stream.name
        and sync_stream.status = 'complete'
        and sync_stream.job_id = (
            select max(sync.job_id) from pipeline.sync
            where sync.connection_id = stream.connection_id and sync.status = 'succeeded'
        )
) as last
"""

LAYERS = """
select stream.connection, stream.stream, layer, rows::float8
from pipeline.layer_table
join pipeline.stream using (table_name)
"""

LAYER_RUNS = """
select stream.connection, stream.stream, layer, extract(epoch from at)::float8
from pipeline.stream
cross join lateral (
    select 'explore' as layer, taken_at as at
    from pipeline.explore_progress as progress
    where progress.table_name = stream.table_name
    union all
    select found.layer, found.scanned_at
    from unnest(array['chart', 'navigate']) as wanted (layer)
    cross join lateral (
        select score.layer, score.scanned_at
        from pipeline.quality_score as score
        where score.table_name = stream.table_name and score.layer = wanted.layer
        order by score.scan_id desc limit 1
    ) as found
) as run
"""

QUALITY = """
select
    stream.connection,
    stream.stream,
    newest.overall::float8 as score,
    results.failed::float8 as failed,
    results.warned::float8 as warned
from pipeline.stream
cross join lateral (
    select scan_id, overall
    from pipeline.quality_score as score
    where score.table_name = stream.table_name and score.layer = 'chart'
    order by scan_id desc limit 1
) as newest
cross join lateral (
    select
        count(*) filter (where status in ('fail', 'error')) as failed,
        count(*) filter (where status = 'warn') as warned
    from pipeline.quality_result as result
    where result.scan_id = newest.scan_id
) as results
"""

# The rule is that of quality/gate.py; days are those that chart was built of, each was scanned for
# personal data before.
HELD_DAYS = """
select stream.connection, stream.stream, coalesce(held.days, 0)::float8
from pipeline.stream
left join (
    select blocking.table_name, count(distinct scan.day) as days
    from pipeline.quality_score as blocking
    join pipeline.pii_scan as scan
        on scan.table_name = blocking.table_name
        and (
            blocking.first_day is null
            or scan.day between blocking.first_day and blocking.last_day
        )
    where blocking.layer = 'chart'
        and blocking.status in ('fail', 'error')
        and not exists (
            select from pipeline.quality_score as later
            where later.table_name = blocking.table_name
                and later.layer = 'chart'
                and later.scan_id > blocking.scan_id
                and (later.first_day is null or scan.day between later.first_day and later.last_day)
        )
    group by blocking.table_name
) as held using (table_name)
"""

PERSONAL_FIELDS = """
select
    stream.connection,
    stream.stream,
    (
        select count(distinct path)::float8 from pipeline.pii_finding as finding
        where finding.table_name = newest.table_name
            and finding.day = newest.day
            and finding.verdict is not null
    )
from pipeline.stream
cross join lateral (
    select table_name, day from pipeline.pii_scan as scan
    where scan.table_name = stream.table_name
    order by day desc limit 1
) as newest
"""

DELIVERIES = """
select
    wanted.state,
    (
        select count(*)::float8 from pipeline.qalita_delivery as delivery
        where delivery.state = wanted.state
            and delivery.state in ('open', 'in_doubt', 'parked')
    )
from unnest(array['open', 'in_doubt', 'parked']) as wanted (state)
"""

OLDEST_DELIVERY = """
select extract(epoch from min(written_at))::float8
from pipeline.qalita_delivery where state in ('open', 'in_doubt')
"""

NOTICES = """
select
    kind,
    count(*) filter (where settled_at is null)::float8 as unsettled,
    count(*) filter (where last_received_at > now() - interval '1 hour')::float8 as recent
from pipeline.notice group by kind
"""

REFUSALS = """
select reason, sum(times)::float8 from pipeline.webhook_refusal
where hour > now() - interval '2 hours' group by reason
"""
