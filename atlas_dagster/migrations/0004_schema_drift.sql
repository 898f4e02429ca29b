-- Every column that a stream has had: one that the source no longer has stays, types only widen.
create table pipeline.stream_column (
    table_name text not null references pipeline.stream,
    name text collate "C" not null,  -- the property, as the source spells it
    position int not null,
    landing text not null,
    layer text not null,  -- the column in chart and navigate
    type text not null,  -- holds the values of all types that were declared
    declared_type text,  -- as of the last catalog; NULL: the source no longer has it
    was_instant boolean not null default false,
    primary key (table_name, name),
    unique (table_name, position),
    unique (table_name, layer)
);

create table pipeline.schema_change (
    id bigint generated always as identity primary key,
    table_name text not null references pipeline.stream,
    name text not null,
    change text not null check (change in ('added', 'removed', 'returned', 'retyped')),
    declared_before text,
    declared_type text,
    type text not null,  -- of the column in chart and navigate from then on
    run_id text not null,
    changed_at timestamptz not null default now()
);

create index schema_change_of_stream on pipeline.schema_change (table_name, changed_at);
