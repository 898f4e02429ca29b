-- The schemas of the layers, and `pipeline`: what Atlas knows about its own work.

create schema explore;
create schema chart;
create schema navigate;

-- Which stream owns which table: two streams can never share one.
create table pipeline.stream (
    table_name text primary key,
    connection text not null,
    stream text not null,
    connection_id text not null,
    namespace text not null default '',
    name text not null,
    registered_at timestamptz not null default now(),
    unique (connection, stream)
);

-- The catalog of a connection as of its last sync, in the form of Airbyte's `connections/get`.
create table pipeline.catalog (
    connection_id text primary key,
    connection text not null unique,
    details json not null,  -- json keeps the order of properties, and so of columns
    destination json not null,
    fetched_at timestamptz not null default now()
);

-- One Airbyte job. Embedded jobs get their id here; a server's keep theirs.
create table pipeline.sync (
    connection_id text not null,
    job_id bigint not null,
    job_type text not null default 'sync',
    status text not null check (status in ('pending', 'running', 'succeeded', 'failed', 'cancelled')),
    created_at timestamptz not null default now(),
    ended_at timestamptz,
    run_id text,
    cancel_requested boolean not null default false,
    failure text,
    primary key (connection_id, job_id),
    check ((ended_at is null) = (status in ('pending', 'running')))
);

create sequence pipeline.job_id as bigint;

-- What a sync did to one stream; `generation_id` follows Airbyte's rules.
create table pipeline.sync_stream (
    connection_id text not null,
    job_id bigint not null,
    namespace text not null default '',
    name text not null,
    generation_id bigint not null,
    minimum_generation_id bigint not null,
    status text not null default 'pending'
        check (status in ('pending', 'running', 'complete', 'incomplete')),
    records_emitted bigint not null default 0,
    bytes_emitted bigint not null default 0,
    records_committed bigint not null default 0,
    bytes_committed bigint not null default 0,
    first_extracted_at timestamptz,
    last_extracted_at timestamptz,
    touched_days date[] not null default '{}',
    cursor_value text,
    updated_at timestamptz not null default now(),
    primary key (connection_id, job_id, namespace, name),
    foreign key (connection_id, job_id) references pipeline.sync on delete cascade
);

create index sync_stream_generation on pipeline.sync_stream (connection_id, namespace, name, generation_id);

-- Connector state: the row with the highest version is the current one, the others are history.
-- `name` is '' for the shared state of a GLOBAL source and for a LEGACY state.
create table pipeline.connector_state (
    connection_id text not null,
    namespace text not null default '',
    name text not null default '',
    version bigint not null check (version > 0),
    kind text not null check (kind in ('STREAM', 'GLOBAL', 'LEGACY')),
    state jsonb,  -- NULL: reset
    job_id bigint,
    saved_at timestamptz not null default now(),
    primary key (connection_id, namespace, name, version)
);

-- Up to which snapshot of the database a landing table has been taken into explore.
create table pipeline.explore_progress (
    table_name text primary key references pipeline.stream,
    landing oid not null,
    snapshot pg_snapshot not null,
    taken_at timestamptz not null default now()
);

-- Under which rules of history (key, ignored columns, time) a layer's table was built; its rows.
create table pipeline.layer_table (
    layer text not null check (layer in ('explore', 'chart', 'navigate')),
    table_name text not null references pipeline.stream,
    definition text not null,
    rows bigint not null check (rows >= 0),
    current_rows bigint check (current_rows between 0 and rows),
    built_at timestamptz not null default now(),
    primary key (layer, table_name)
);
