-- Whether Dagster has been told what a server's job did. Syncs of runs are told by their runs, the
-- others, and those whose run died, by the sensor `observed_syncs`.
alter table pipeline.sync add column told_at timestamptz;

update pipeline.sync set told_at = now() where ended_at is not null;

create index sync_untold on pipeline.sync (connection_id, job_id) where told_at is null;

-- What the webhook receiver and the polling of finished jobs heard of: hints that the sensor follows
-- up. What is heard again counts, and is not kept again.
create table pipeline.notice (
    notice_id bigint generated always as identity primary key,
    kind text not null check (kind in ('sync', 'payload', 'schema', 'connection', 'other')),
    fingerprint text not null unique,  -- of kind, connection, job and outcome: what makes two the same
    connection_id text,
    job_id bigint,
    payload jsonb,  -- of kind `payload`: the sender has no API to read the job from
    source text not null check (source in ('webhook', 'poll')),
    times bigint not null default 1,
    received_at timestamptz not null default now(),
    last_received_at timestamptz not null default now(),
    settled_at timestamptz,
    refusal text  -- why it led to nothing; NULL: it did, or needs not to
);

create index notice_unsettled on pipeline.notice (notice_id) where settled_at is null;

-- What the receiver turned away at the door: counted, since anyone can send it.
create table pipeline.webhook_refusal (
    reason text not null,
    hour timestamptz not null,
    times bigint not null,
    last_at timestamptz not null,
    primary key (reason, hour)
);
