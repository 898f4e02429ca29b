-- What was done with the data of persons: who, when, to how many rows. Of what was looked for there
-- is a digest, never the value.
create table pipeline.subject_action (
    action_id bigint generated always as identity primary key,
    action text not null check (action in ('find', 'export', 'redact', 'remove')),
    operator text not null,
    digests text[] not null,
    streams jsonb not null default '{}',  -- rows by layer; written with the change of the stream
    started_at timestamptz not null default clock_timestamp(),
    ended_at timestamptz  -- NULL: it did not come to its end
);

-- Digests of one warehouse can be compared with no other's.
create table pipeline.subject_salt (
    salt bytea not null,
    only_one boolean primary key default true check (only_one)
);

insert into pipeline.subject_salt (salt)
select decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex');

create function pipeline.subject_digest(value text) returns bytea
language sql stable strict parallel safe as $$
    select sha256(salt || convert_to(value, 'UTF8')) from pipeline.subject_salt
$$;

-- Record versions that are never taken from landing again.
create table pipeline.erased_version (
    table_name text not null references pipeline.stream,
    raw_id text collate "C" not null,
    primary key (table_name, raw_id)
);

-- Keys, by the fields that they are read from, and values of personal data, of which no version is
-- taken that was extracted before they were erased: it may be on its way to landing still.
create table pipeline.erased_key (
    table_name text not null references pipeline.stream,
    paths jsonb not null,
    digest bytea not null,
    erased_at timestamptz not null,
    primary key (table_name, paths, digest)
);

create table pipeline.erased_value (
    digest bytea primary key,
    erased_at timestamptz not null
);
