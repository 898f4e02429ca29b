-- What complete full refreshes say: at their instant, only the keys that they delivered exist.

-- Set for syncs that succeeded completely, and for no others.
alter table pipeline.sync
    add column snapshot_at timestamptz,
    add check (snapshot_at is null or status = 'succeeded');

alter table pipeline.sync_stream add column full_refresh boolean not null default false;

-- A snapshot that would make too many keys vanish is not believed, until an operator says so.
create table pipeline.snapshot_refusal (
    table_name text not null references pipeline.stream,
    job_id bigint not null,
    vanishing bigint not null,
    known bigint not null,
    refused_at timestamptz not null default now(),
    accepted_at timestamptz,
    primary key (table_name, job_id)
);

-- Keys of which chart took something back since navigate was built, and since when.
create table pipeline.dirty_key (
    table_name text not null references pipeline.stream,
    natural_key text collate "C" not null,
    since timestamptz not null,
    primary key (table_name, natural_key)
);

-- Rows of chart say which sync they came by.
do $$
declare
    charted text;
begin
    for charted in select table_name from pipeline.layer_table where layer = 'chart' loop
        if to_regclass(format('chart.%I', charted)) is not null then
            execute format('alter table chart.%I add column _atlas_sync_id bigint', charted);
        end if;
    end loop;
end
$$;
