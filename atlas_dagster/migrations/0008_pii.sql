-- What scans for personal data found, a row for an entity of a field and a day; verdicts among it.
create table pipeline.pii_scan (
    table_name text not null references pipeline.stream,
    day date not null,
    recognizers text not null,  -- a digest of what was looked for
    rows bigint not null,  -- record versions of the day when it was scanned
    result jsonb not null,  -- what was scanned, and what was not: ner, cuts, folded maps
    run_id text not null,
    scanned_at timestamptz not null default now(),
    primary key (table_name, day)
);

create table pipeline.pii_finding (
    table_name text not null,
    day date not null,
    path text[] not null,
    entity text not null,
    field_rows bigint not null,  -- values of the field that are not null
    values bigint not null,  -- distinct values with the entity
    rows bigint not null,
    mean_score real not null,
    max_score real not null,
    verdict text check (verdict in ('values', 'embedded', 'name')),  -- NULL: noise, not personal
    confidence real,
    evidence text[] not null default '{}',
    primary key (table_name, day, path, entity),
    foreign key (table_name, day) references pipeline.pii_scan on delete cascade
);

create index pii_finding_verdict on pipeline.pii_finding (table_name) where verdict is not null;

-- Under which policy chart was built: what is in it is as this says.
alter table pipeline.layer_table add column policy jsonb not null default '{}';

-- A value as people may see it: j***@e*** of an e-mail address, 4*** of a card's number. The stars
-- are the same for any length, and what has been masked shows no more when it is masked again.
create function pipeline.pii_mask(value text) returns text
language sql immutable strict parallel safe as $$
    select case
        when length(value) < 8 or value like '%*%' then '***'
        when length(value) >= 12 and value like '%@%' and value not like '%@%@%' then
            coalesce(substring(value from '^[[:alnum:]]'), '') || '***@'
            || coalesce(substring(value from '@([[:alnum:]])'), '') || '***'
        else coalesce(substring(value from '^[[:alnum:]]'), '') || '***'
    end
$$;

-- HMAC-SHA-256 (RFC 2104): the same value has the same hash everywhere, and nobody without the key
-- can try values out. The session has the key's two blocks, which no query text shows.
create function pipeline.pii_hash(value text) returns text
language sql stable strict parallel safe as $$
    select encode(
        sha256(
            current_setting('atlas.hmac_outer')::bytea
            || sha256(current_setting('atlas.hmac_inner')::bytea || convert_to(value, 'UTF8'))
        ),
        'hex'
    )
$$;
