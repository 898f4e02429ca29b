-- Snapshots and oids mean something in one database alone: after a restore into another they say
-- nothing of what explore holds.
alter table pipeline.explore_progress add column place text;

create function pipeline.place() returns text
language sql stable parallel safe as $$
    select system_identifier || '/' || (select oid from pg_database where datname = current_database())
    from pg_control_system()
$$;

update pipeline.explore_progress set place = pipeline.place();

alter table pipeline.explore_progress alter place set not null;

-- What is asked of all streams at once, as by `atlas metrics`: the newest scan, those that block.
create index quality_score_newest on pipeline.quality_score (table_name, layer, scan_id);

create index quality_score_blocking on pipeline.quality_score (table_name, scan_id)
    where layer = 'chart' and status in ('fail', 'error');

create index sync_status on pipeline.sync (connection_id, status, job_id);
