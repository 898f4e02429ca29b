-- The rows of the sandbox, a QALITA of one's own (`atlas qalita sandbox`), as it answers them.
create table pipeline.qalita_sandbox (
    kind text not null,  -- sources, packs, jobs, metrics and so on
    id bigint not null,
    fields json not null,  -- json: what was sent may hold what jsonb cannot
    content bytea,  -- of an asset
    arrived_at timestamptz not null default now(),
    primary key (kind, id)
);

-- The sensor forgets what was delivered long ago.
create index qalita_delivery_done on pipeline.qalita_delivery (ended_at) where state = 'done';

-- It asks what scans of a run came to.
create index quality_score_run on pipeline.quality_score (run_id);
