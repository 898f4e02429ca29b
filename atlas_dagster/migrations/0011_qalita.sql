-- What is published to QALITA, a row for what arrives there as one job and one set of metrics. It is
-- written before anything is sent, and says of what was sent whether it is known to have arrived.
create table pipeline.qalita_delivery (
    delivery_id bigint generated always as identity primary key,
    key text not null unique check (length(key) between 1 and 100),  -- the job's name at QALITA
    connection_id text not null,
    connection text not null,
    connection_name text not null,
    stream text,
    stream_name text,
    content jsonb not null,  -- the job's status and times; schemas, metrics, recommendations
    state text not null default 'open' check (state in ('open', 'in_doubt', 'done', 'parked')),
    due_at timestamptz not null default now(),  -- no try before
    tries int not null default 0,
    reason text,  -- why it waits, or is parked
    request_id text,  -- what QALITA called the request that it refused
    target jsonb,  -- where it was sent last: what is in doubt is looked up there
    job_id bigint,  -- QALITA's, where it is known
    arrived text[] not null default '{}',  -- what is known to be there, with the job
    written_at timestamptz not null default now(),
    touched_at timestamptz,  -- when something of it was about to be sent last
    ended_at timestamptz
);

create index qalita_delivery_waiting on pipeline.qalita_delivery (delivery_id)
    where state in ('open', 'in_doubt');

create index qalita_delivery_parked on pipeline.qalita_delivery (delivery_id) where state = 'parked';

-- Which columns a source was last published with: its schemas are sent where that has changed.
create table pipeline.qalita_schema (
    platform text not null,  -- its URL: what one has been sent, another has not
    source_id bigint not null,
    pack_id bigint not null,
    subject text not null,
    digest text not null,
    published_at timestamptz not null default now(),
    primary key (platform, source_id, pack_id, subject)
);

-- The sources that Atlas publishes itself: asked for before it is sent, so that none is sent twice.
create table pipeline.qalita_source (
    platform text not null,
    name text not null,
    source_id bigint,
    asked_at timestamptz not null default now(),
    primary key (platform, name)
);
