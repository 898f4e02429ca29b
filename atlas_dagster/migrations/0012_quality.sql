-- What the scans of a stream's quality found: a row for each scan, of some days or of all. What was
-- not checked is NULL, never 100.
create table pipeline.quality_score (
    scan_id bigint generated always as identity primary key,
    table_name text not null references pipeline.stream,
    first_day date,  -- NULL: the whole table
    last_day date,
    run_id text not null,
    scanned_at timestamptz not null default now(),
    status text not null check (status in ('pass', 'not_checked', 'warn', 'fail', 'error')),
    overall double precision check (overall between 0 and 100),
    coverage double precision not null check (coverage between 0 and 1.000001),
    is_graded boolean not null,
    completeness double precision check (completeness between 0 and 100),
    uniqueness double precision check (uniqueness between 0 and 100),
    timeliness double precision check (timeliness between 0 and 100),
    validity double precision check (validity between 0 and 100),
    accuracy double precision check (accuracy between 0 and 100),
    consistency double precision check (consistency between 0 and 100),
    not_checked text[] not null,
    check ((first_day is null) = (last_day is null)),
    check (first_day <= last_day)
);

create index quality_score_days on pipeline.quality_score (table_name, first_day, last_day, scan_id);

-- What came of each check of a scan.
create table pipeline.quality_result (
    scan_id bigint not null references pipeline.quality_score on delete cascade,
    check_name text not null,
    rule text not null,
    dimension text not null,
    columns text[] not null,
    origin text not null,
    status text not null check (status in ('pass', 'not_checked', 'warn', 'fail', 'error')),
    value double precision,
    tested bigint,
    failed bigint,
    ratio double precision check (ratio between 0 and 1),
    message text not null,
    primary key (scan_id, check_name)
);

-- A few of the rows that failed a check in the newest scan of some days, for people to look at.
-- Values of fields with personal data, and of rows that no scan for it has seen, are masked.
create table pipeline.quality_failed_row (
    scan_id bigint not null,
    check_name text not null,
    position int not null,
    raw_id text not null,  -- `_airbyte_raw_id`: it finds the row without telling of anyone
    natural_key text,
    day date,  -- NULL of a row of navigate
    shown jsonb not null,  -- by column, texts of at most 100 characters
    primary key (scan_id, check_name, position),
    foreign key (scan_id, check_name) references pipeline.quality_result on delete cascade
);
