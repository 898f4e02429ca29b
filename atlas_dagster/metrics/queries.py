"""The queries of a scrape: each is about all connections or streams at once, and reads by indexes.

They are given the connections by ``ids`` and ``slugs``, and ``tables`` of streams. A query gives
rows of labels, then the value; NULL of a value that is not known.
"""

from __future__ import annotations

_CONNECTION = "unnest(%(ids)s::text[], %(slugs)s::text[]) as connection (connection_id, connection)"

_STREAM = "(select * from pipeline.stream where table_name = any(%(tables)s)) as stream"

SYNCS = f"""
select
    connection.connection,
    extract(epoch from succeeded.ended_at)::float8 as last_success,
    extract(epoch from ended.ended_at)::float8 as last_end,
    extract(epoch from ended.ended_at - ended.created_at)::float8 as duration,
    (ended.status = 'succeeded')::int::float8 as is_success,
    (
        select count(*)::float8 from pipeline.sync as running
        where running.connection_id = connection.connection_id
            and running.status in ('pending', 'running')
    ) as running
from {_CONNECTION}
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
"""

# None is left out for being 0: what Prometheus first sees at 1 has not increased.
SYNC_COUNTS = f"""
select connection.connection, wanted.status, coalesce(counted.syncs, 0)::float8
from {_CONNECTION}
cross join unnest(array['succeeded', 'failed', 'cancelled']) as wanted (status)
left join (
    select connection_id, status, count(*) as syncs from pipeline.sync group by 1, 2
) as counted using (connection_id, status)
"""

STREAM_SYNCS = f"""
select
    stream.connection,
    stream.stream,
    last.records_committed::float8 as records,
    last.bytes_committed::float8 as bytes
from {_STREAM}
cross join lateral (
    select sync_stream.* from pipeline.sync_stream
    where sync_stream.connection_id = stream.connection_id
        and sync_stream.namespace = stream.namespace
        and sync_stream.name = stream.name
        and sync_stream.status = 'complete'
        and sync_stream.counted
        and sync_stream.job_id = (
            select max(sync.job_id) from pipeline.sync
            where sync.connection_id = stream.connection_id and sync.status = 'succeeded'
        )
) as last
"""

LAYERS = f"""
select stream.connection, stream.stream, layer, rows::float8
from {_STREAM}
join pipeline.layer_table using (table_name)
"""

LAYER_RUNS = f"""
select stream.connection, stream.stream, layer, extract(epoch from at)::float8
from {_STREAM}
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
        where score.table_name = stream.table_name
            and score.layer = wanted.layer
            and score.has_ended
        order by score.scan_id desc limit 1
    ) as found
) as run
"""

QUALITY = f"""
select
    stream.connection,
    stream.stream,
    newest.overall::float8 as score,
    results.failed::float8 as failed,
    results.warned::float8 as warned
from {_STREAM}
cross join lateral (
    select scan_id, overall
    from pipeline.quality_score as score
    where score.table_name = stream.table_name
        and score.layer = 'chart'
        and score.has_ended
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

# The rule is that of quality/gate.py, told apart by whether the scan has ended; days are those that
# chart was built of, each was scanned for personal data before.
DAYS = f"""
select
    stream.connection,
    stream.stream,
    coalesce(days.held, 0)::float8 as held,
    coalesce(days.unfinished, 0)::float8 as unfinished
from {_STREAM}
left join (
    select
        blocking.table_name,
        count(distinct scan.day) filter (where blocking.has_ended) as held,
        count(distinct scan.day) filter (where not blocking.has_ended) as unfinished
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
                and later.has_ended
        )
    group by blocking.table_name
) as days using (table_name)
"""

PERSONAL_FIELDS = f"""
select
    stream.connection,
    stream.stream,
    (
        select count(distinct path)::float8 from pipeline.pii_finding as finding
        where finding.table_name = newest.table_name
            and finding.day = newest.day
            and finding.verdict is not null
    )
from {_STREAM}
cross join lateral (
    select table_name, day from pipeline.pii_scan as scan
    where scan.table_name = stream.table_name
    order by day desc limit 1
) as newest
"""

# Of all days it would be a hundred times as much to read; what is found once is often found again.
FIELDS = f"""
select stream.connection, stream.stream, found.path, found.entities
from {_STREAM}
cross join lateral (
    select min(day) as first_day from (
        select day from pipeline.pii_scan as scan
        where scan.table_name = stream.table_name
        order by day desc limit 7
    ) as newest
) as since
left join lateral (
    select path, array_agg(distinct entity) as entities
    from pipeline.pii_finding as finding
    where finding.table_name = stream.table_name
        and finding.day >= since.first_day
        and finding.verdict is not null
    group by path
) as found on true
where since.first_day is not null
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
