-- A warehouse of version 9, made by the code of that version: two syncs and layer runs, pg_dump --inserts.
CREATE SCHEMA chart;
CREATE SCHEMA explore;
CREATE SCHEMA landing;
CREATE SCHEMA navigate;
CREATE SCHEMA pipeline;
CREATE TABLE navigate.shop__orders (
    id bigint,
    mail character varying,
    total numeric,
    _atlas_surrogate_key uuid NOT NULL,
    _atlas_natural_key text NOT NULL COLLATE pg_catalog."C",
    _atlas_valid_from timestamp with time zone NOT NULL,
    _atlas_valid_to timestamp with time zone,
    _atlas_is_current boolean NOT NULL,
    _atlas_closed_by text,
    _atlas_row_hash bigint NOT NULL,
    _airbyte_raw_id text NOT NULL COLLATE pg_catalog."C",
    _atlas_run_id text NOT NULL,
    CONSTRAINT shop__orders__atlas_closed_by_check CHECK ((_atlas_closed_by = ANY (ARRAY['update'::text, 'delete'::text]))),
    CONSTRAINT shop__orders_check CHECK ((_atlas_valid_to > _atlas_valid_from)),
    CONSTRAINT shop__orders_check1 CHECK ((_atlas_is_current = (_atlas_valid_to IS NULL))),
    CONSTRAINT shop__orders_check2 CHECK (((_atlas_closed_by IS NULL) = (_atlas_valid_to IS NULL)))
)
WITH (fillfactor='90');
CREATE FUNCTION navigate.shop__orders_as_of(timestamp with time zone) RETURNS SETOF navigate.shop__orders
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $_$
            select *
            from "navigate"."shop__orders"
            where _atlas_valid_from <= $1
                and (_atlas_valid_to is null or _atlas_valid_to > $1)
        $_$;
CREATE TABLE navigate.shop__users (
    id bigint,
    name character varying,
    _atlas_surrogate_key uuid NOT NULL,
    _atlas_natural_key text NOT NULL COLLATE pg_catalog."C",
    _atlas_valid_from timestamp with time zone NOT NULL,
    _atlas_valid_to timestamp with time zone,
    _atlas_is_current boolean NOT NULL,
    _atlas_closed_by text,
    _atlas_row_hash bigint NOT NULL,
    _airbyte_raw_id text NOT NULL COLLATE pg_catalog."C",
    _atlas_run_id text NOT NULL,
    CONSTRAINT shop__users__atlas_closed_by_check CHECK ((_atlas_closed_by = ANY (ARRAY['update'::text, 'delete'::text]))),
    CONSTRAINT shop__users_check CHECK ((_atlas_valid_to > _atlas_valid_from)),
    CONSTRAINT shop__users_check1 CHECK ((_atlas_is_current = (_atlas_valid_to IS NULL))),
    CONSTRAINT shop__users_check2 CHECK (((_atlas_closed_by IS NULL) = (_atlas_valid_to IS NULL)))
)
WITH (fillfactor='90');
CREATE FUNCTION navigate.shop__users_as_of(timestamp with time zone) RETURNS SETOF navigate.shop__users
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $_$
            select *
            from "navigate"."shop__users"
            where _atlas_valid_from <= $1
                and (_atlas_valid_to is null or _atlas_valid_to > $1)
        $_$;
CREATE FUNCTION pipeline.pii_hash(value text) RETURNS text
    LANGUAGE sql STABLE STRICT PARALLEL SAFE
    AS $$
    select encode(
        sha256(
            current_setting('atlas.hmac_outer')::bytea
            || sha256(current_setting('atlas.hmac_inner')::bytea || convert_to(value, 'UTF8'))
        ),
        'hex'
    )
$$;
CREATE FUNCTION pipeline.pii_mask(value text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$
    select case
        when length(value) < 8 or value like '%*%' then '***'
        when length(value) >= 12 and value like '%@%' and value not like '%@%@%' then
            coalesce(substring(value from '^[[:alnum:]]'), '') || '***@'
            || coalesce(substring(value from '@([[:alnum:]])'), '') || '***'
        else coalesce(substring(value from '^[[:alnum:]]'), '') || '***'
    end
$$;
CREATE FUNCTION pipeline.try_cast(value text, result anyelement) RETURNS anyelement
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    AS $$
begin
    result := value;
    return result;
exception when data_exception then
    return null;
end
$$;
CREATE TABLE chart.shop__orders (
    id bigint,
    mail character varying,
    total numeric,
    _airbyte_raw_id text NOT NULL COLLATE pg_catalog."C",
    _airbyte_extracted_at timestamp with time zone NOT NULL,
    _atlas_sync_id bigint,
    _atlas_natural_key text COLLATE pg_catalog."C",
    _atlas_instant timestamp with time zone NOT NULL,
    _atlas_sequence numeric,
    _atlas_deleted boolean NOT NULL,
    _atlas_valid boolean NOT NULL,
    _atlas_errors jsonb,
    _atlas_row_hash bigint NOT NULL,
    _atlas_pii_checked boolean NOT NULL,
    _atlas_quality_score real,
    _atlas_validated_at timestamp with time zone,
    _atlas_partition date NOT NULL,
    _atlas_run_id text NOT NULL
);
CREATE TABLE chart.shop__users (
    id bigint,
    name character varying,
    _airbyte_raw_id text NOT NULL COLLATE pg_catalog."C",
    _airbyte_extracted_at timestamp with time zone NOT NULL,
    _atlas_sync_id bigint,
    _atlas_natural_key text COLLATE pg_catalog."C",
    _atlas_instant timestamp with time zone NOT NULL,
    _atlas_sequence numeric,
    _atlas_deleted boolean NOT NULL,
    _atlas_valid boolean NOT NULL,
    _atlas_errors jsonb,
    _atlas_row_hash bigint NOT NULL,
    _atlas_pii_checked boolean NOT NULL,
    _atlas_quality_score real,
    _atlas_validated_at timestamp with time zone,
    _atlas_partition date NOT NULL,
    _atlas_run_id text NOT NULL
);
CREATE TABLE explore.shop__orders (
    _airbyte_raw_id text NOT NULL COLLATE pg_catalog."C",
    _airbyte_extracted_at timestamp with time zone NOT NULL,
    _airbyte_generation_id bigint,
    _airbyte_meta jsonb NOT NULL,
    _atlas_sync_id bigint,
    _atlas_loaded_at timestamp with time zone NOT NULL,
    _atlas_run_id text NOT NULL,
    _atlas_partition date NOT NULL,
    data jsonb NOT NULL,
    CONSTRAINT shop__orders_check CHECK ((_atlas_partition = ((_airbyte_extracted_at AT TIME ZONE 'UTC'::text))::date))
);
CREATE TABLE explore.shop__users (
    _airbyte_raw_id text NOT NULL COLLATE pg_catalog."C",
    _airbyte_extracted_at timestamp with time zone NOT NULL,
    _airbyte_generation_id bigint,
    _airbyte_meta jsonb NOT NULL,
    _atlas_sync_id bigint,
    _atlas_loaded_at timestamp with time zone NOT NULL,
    _atlas_run_id text NOT NULL,
    _atlas_partition date NOT NULL,
    data jsonb NOT NULL,
    CONSTRAINT shop__users_check CHECK ((_atlas_partition = ((_airbyte_extracted_at AT TIME ZONE 'UTC'::text))::date))
);
CREATE TABLE landing.shop__orders (
    _airbyte_raw_id character varying NOT NULL,
    _airbyte_extracted_at timestamp with time zone NOT NULL,
    _airbyte_meta jsonb NOT NULL,
    _airbyte_generation_id bigint NOT NULL,
    id bigint,
    mail character varying,
    total numeric
);
CREATE TABLE landing.shop__users (
    _airbyte_raw_id character varying NOT NULL,
    _airbyte_extracted_at timestamp with time zone NOT NULL,
    _airbyte_meta jsonb NOT NULL,
    _airbyte_generation_id bigint NOT NULL,
    id bigint,
    name character varying
);
CREATE VIEW navigate.shop__orders_current AS
 SELECT id,
    mail,
    total,
    _atlas_surrogate_key,
    _atlas_natural_key,
    _atlas_valid_from,
    _atlas_valid_to,
    _atlas_is_current,
    _atlas_closed_by,
    _atlas_row_hash,
    _airbyte_raw_id,
    _atlas_run_id
   FROM navigate.shop__orders
  WHERE (_atlas_valid_to IS NULL);
CREATE VIEW navigate.shop__users_current AS
 SELECT id,
    name,
    _atlas_surrogate_key,
    _atlas_natural_key,
    _atlas_valid_from,
    _atlas_valid_to,
    _atlas_is_current,
    _atlas_closed_by,
    _atlas_row_hash,
    _airbyte_raw_id,
    _atlas_run_id
   FROM navigate.shop__users
  WHERE (_atlas_valid_to IS NULL);
CREATE TABLE pipeline.catalog (
    connection_id text NOT NULL,
    connection text NOT NULL,
    details json NOT NULL,
    destination json NOT NULL,
    fetched_at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE pipeline.connector_state (
    connection_id text NOT NULL,
    namespace text DEFAULT ''::text NOT NULL,
    name text DEFAULT ''::text NOT NULL,
    version bigint NOT NULL,
    kind text NOT NULL,
    state jsonb,
    job_id bigint,
    saved_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT connector_state_kind_check CHECK ((kind = ANY (ARRAY['STREAM'::text, 'GLOBAL'::text, 'LEGACY'::text]))),
    CONSTRAINT connector_state_version_check CHECK ((version > 0))
);
CREATE TABLE pipeline.dirty_key (
    table_name text NOT NULL,
    natural_key text NOT NULL COLLATE pg_catalog."C",
    since timestamp with time zone NOT NULL
);
CREATE TABLE pipeline.explore_progress (
    table_name text NOT NULL,
    landing oid NOT NULL,
    snapshot pg_snapshot NOT NULL,
    taken_at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE SEQUENCE pipeline.job_id
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
CREATE TABLE pipeline.layer_table (
    layer text NOT NULL,
    table_name text NOT NULL,
    definition text NOT NULL,
    rows bigint NOT NULL,
    current_rows bigint,
    built_at timestamp with time zone DEFAULT now() NOT NULL,
    dropped_before date,
    policy jsonb DEFAULT '{}'::jsonb NOT NULL,
    CONSTRAINT layer_table_check CHECK (((current_rows >= 0) AND (current_rows <= rows))),
    CONSTRAINT layer_table_layer_check CHECK ((layer = ANY (ARRAY['explore'::text, 'chart'::text, 'navigate'::text]))),
    CONSTRAINT layer_table_rows_check CHECK ((rows >= 0))
);
CREATE TABLE pipeline.notice (
    notice_id bigint NOT NULL,
    kind text NOT NULL,
    fingerprint text NOT NULL,
    connection_id text,
    job_id bigint,
    payload jsonb,
    source text NOT NULL,
    times bigint DEFAULT 1 NOT NULL,
    received_at timestamp with time zone DEFAULT now() NOT NULL,
    last_received_at timestamp with time zone DEFAULT now() NOT NULL,
    settled_at timestamp with time zone,
    refusal text,
    CONSTRAINT notice_kind_check CHECK ((kind = ANY (ARRAY['sync'::text, 'payload'::text, 'schema'::text, 'connection'::text, 'other'::text]))),
    CONSTRAINT notice_source_check CHECK ((source = ANY (ARRAY['webhook'::text, 'poll'::text])))
);
ALTER TABLE pipeline.notice ALTER COLUMN notice_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME pipeline.notice_notice_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE pipeline.pii_finding (
    table_name text NOT NULL,
    day date NOT NULL,
    path text[] NOT NULL,
    entity text NOT NULL,
    field_rows bigint NOT NULL,
    "values" bigint NOT NULL,
    rows bigint NOT NULL,
    mean_score real NOT NULL,
    max_score real NOT NULL,
    verdict text,
    confidence real,
    evidence text[] DEFAULT '{}'::text[] NOT NULL,
    CONSTRAINT pii_finding_verdict_check CHECK ((verdict = ANY (ARRAY['values'::text, 'embedded'::text, 'name'::text])))
);
CREATE TABLE pipeline.pii_scan (
    table_name text NOT NULL,
    day date NOT NULL,
    recognizers text NOT NULL,
    rows bigint NOT NULL,
    result jsonb NOT NULL,
    run_id text NOT NULL,
    scanned_at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE pipeline.schema_change (
    id bigint NOT NULL,
    table_name text NOT NULL,
    name text NOT NULL,
    change text NOT NULL,
    declared_before text,
    declared_type text,
    type text NOT NULL,
    run_id text NOT NULL,
    changed_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT schema_change_change_check CHECK ((change = ANY (ARRAY['added'::text, 'removed'::text, 'returned'::text, 'retyped'::text])))
);
ALTER TABLE pipeline.schema_change ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME pipeline.schema_change_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE pipeline.schema_version (
    version integer NOT NULL,
    name text NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE pipeline.snapshot_refusal (
    table_name text NOT NULL,
    job_id bigint NOT NULL,
    vanishing bigint NOT NULL,
    known bigint NOT NULL,
    refused_at timestamp with time zone DEFAULT now() NOT NULL,
    accepted_at timestamp with time zone
);
CREATE TABLE pipeline.stream (
    table_name text NOT NULL,
    connection text NOT NULL,
    stream text NOT NULL,
    connection_id text NOT NULL,
    namespace text DEFAULT ''::text NOT NULL,
    name text NOT NULL,
    registered_at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE pipeline.stream_column (
    table_name text NOT NULL,
    name text NOT NULL COLLATE pg_catalog."C",
    "position" integer NOT NULL,
    landing text NOT NULL,
    layer text NOT NULL,
    type text NOT NULL,
    declared_type text,
    was_instant boolean DEFAULT false NOT NULL
);
CREATE TABLE pipeline.sync (
    connection_id text NOT NULL,
    job_id bigint NOT NULL,
    job_type text DEFAULT 'sync'::text NOT NULL,
    status text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    ended_at timestamp with time zone,
    run_id text,
    cancel_requested boolean DEFAULT false NOT NULL,
    failure text,
    snapshot_at timestamp with time zone,
    told_at timestamp with time zone,
    attempts integer,
    CONSTRAINT sync_check CHECK (((ended_at IS NULL) = (status = ANY (ARRAY['pending'::text, 'running'::text])))),
    CONSTRAINT sync_check1 CHECK (((snapshot_at IS NULL) OR (status = 'succeeded'::text))),
    CONSTRAINT sync_status_check CHECK ((status = ANY (ARRAY['pending'::text, 'running'::text, 'succeeded'::text, 'failed'::text, 'cancelled'::text])))
);
CREATE TABLE pipeline.sync_stream (
    connection_id text NOT NULL,
    job_id bigint NOT NULL,
    namespace text DEFAULT ''::text NOT NULL,
    name text NOT NULL,
    generation_id bigint NOT NULL,
    minimum_generation_id bigint NOT NULL,
    status text DEFAULT 'pending'::text NOT NULL,
    records_emitted bigint DEFAULT 0 NOT NULL,
    bytes_emitted bigint DEFAULT 0 NOT NULL,
    records_committed bigint DEFAULT 0 NOT NULL,
    bytes_committed bigint DEFAULT 0 NOT NULL,
    first_extracted_at timestamp with time zone,
    last_extracted_at timestamp with time zone,
    touched_days date[] DEFAULT '{}'::date[] NOT NULL,
    cursor_value text,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    full_refresh boolean DEFAULT false NOT NULL,
    counted boolean DEFAULT true NOT NULL,
    CONSTRAINT sync_stream_status_check CHECK ((status = ANY (ARRAY['pending'::text, 'running'::text, 'complete'::text, 'incomplete'::text])))
);
CREATE TABLE pipeline.webhook_refusal (
    reason text NOT NULL,
    hour timestamp with time zone NOT NULL,
    times bigint NOT NULL,
    last_at timestamp with time zone NOT NULL
);
CREATE TABLE pipeline.workspace_snapshot (
    workspace_id text NOT NULL,
    snapshot json NOT NULL,
    fetched_at timestamp with time zone NOT NULL
);
INSERT INTO chart.shop__orders VALUES (1, 'anna@example.com', 1.5, '01a23050-a0f8-7f92-bc72-000000000003', '2026-11-01 12:00:00+00', 1, '1', '2026-11-01 12:00:00+00', NULL, false, true, NULL, 4186224932239104489, true, NULL, NULL, '2026-11-01', '7ab86d44-b579-42c9-a2ac-a78d14f0dd79');
INSERT INTO chart.shop__orders VALUES (2, 'ben@example.com', 2, '01a23050-a0f8-7f92-bc72-000000000004', '2026-11-01 12:00:00+00', 1, '2', '2026-11-01 12:00:00+00', NULL, false, true, NULL, 6319056113918482320, true, NULL, NULL, '2026-11-01', '7ab86d44-b579-42c9-a2ac-a78d14f0dd79');
INSERT INTO chart.shop__orders VALUES (1, 'anna@example.com', 9.25, '01a23050-ba1b-742a-9c56-000000000002', '2026-11-02 12:00:00+00', 2, '1', '2026-11-02 12:00:00+00', NULL, false, true, NULL, 1840945209208586378, true, NULL, NULL, '2026-11-02', '66bffa1d-c522-4f11-a14a-3a8efd2c3283');
INSERT INTO chart.shop__users VALUES (1, 'Anna', '01a23050-a0f8-7f92-bc72-000000000001', '2026-11-01 12:00:00+00', 1, '1', '2026-11-01 12:00:00+00', NULL, false, true, NULL, 3244455836534902701, true, NULL, NULL, '2026-11-01', '7ab86d44-b579-42c9-a2ac-a78d14f0dd79');
INSERT INTO chart.shop__users VALUES (2, 'Ben', '01a23050-a0f8-7f92-bc72-000000000002', '2026-11-01 12:00:00+00', 1, '2', '2026-11-01 12:00:00+00', NULL, false, true, NULL, -5896316113136774845, true, NULL, NULL, '2026-11-01', '7ab86d44-b579-42c9-a2ac-a78d14f0dd79');
INSERT INTO chart.shop__users VALUES (1, 'Anne', '01a23050-ba1b-742a-9c56-000000000001', '2026-11-02 12:00:00+00', 2, '1', '2026-11-02 12:00:00+00', NULL, false, true, NULL, -2352862944537106369, true, NULL, NULL, '2026-11-02', '66bffa1d-c522-4f11-a14a-3a8efd2c3283');
INSERT INTO explore.shop__orders VALUES ('01a23050-a0f8-7f92-bc72-000000000003', '2026-11-01 12:00:00+00', 0, '{"changes": [], "sync_id": 1}', 1, '2026-12-01 06:35:20.842062+00', '7ab86d44-b579-42c9-a2ac-a78d14f0dd79', '2026-11-01', '{"id": 1, "mail": "anna@example.com", "total": 1.5}');
INSERT INTO explore.shop__orders VALUES ('01a23050-a0f8-7f92-bc72-000000000004', '2026-11-01 12:00:00+00', 0, '{"changes": [], "sync_id": 1}', 1, '2026-12-01 06:35:20.842062+00', '7ab86d44-b579-42c9-a2ac-a78d14f0dd79', '2026-11-01', '{"id": 2, "mail": "ben@example.com", "total": 2}');
INSERT INTO explore.shop__orders VALUES ('01a23050-ba1b-742a-9c56-000000000002', '2026-11-02 12:00:00+00', 0, '{"changes": [], "sync_id": 2}', 2, '2026-12-01 06:35:27.3827+00', '66bffa1d-c522-4f11-a14a-3a8efd2c3283', '2026-11-02', '{"id": 1, "mail": "anna@example.com", "total": 9.25}');
INSERT INTO explore.shop__users VALUES ('01a23050-a0f8-7f92-bc72-000000000001', '2026-11-01 12:00:00+00', 0, '{"changes": [], "sync_id": 1}', 1, '2026-12-01 06:35:20.922372+00', '7ab86d44-b579-42c9-a2ac-a78d14f0dd79', '2026-11-01', '{"id": 1, "name": "Anna"}');
INSERT INTO explore.shop__users VALUES ('01a23050-a0f8-7f92-bc72-000000000002', '2026-11-01 12:00:00+00', 0, '{"changes": [], "sync_id": 1}', 1, '2026-12-01 06:35:20.922372+00', '7ab86d44-b579-42c9-a2ac-a78d14f0dd79', '2026-11-01', '{"id": 2, "name": "Ben"}');
INSERT INTO explore.shop__users VALUES ('01a23050-ba1b-742a-9c56-000000000001', '2026-11-02 12:00:00+00', 0, '{"changes": [], "sync_id": 2}', 2, '2026-12-01 06:35:27.446706+00', '66bffa1d-c522-4f11-a14a-3a8efd2c3283', '2026-11-02', '{"id": 1, "name": "Anne"}');
INSERT INTO landing.shop__orders VALUES ('01a23050-a0f8-7f92-bc72-000000000003', '2026-11-01 12:00:00+00', '{"changes": [], "sync_id": 1}', 0, 1, 'anna@example.com', 1.5);
INSERT INTO landing.shop__orders VALUES ('01a23050-a0f8-7f92-bc72-000000000004', '2026-11-01 12:00:00+00', '{"changes": [], "sync_id": 1}', 0, 2, 'ben@example.com', 2);
INSERT INTO landing.shop__orders VALUES ('01a23050-ba1b-742a-9c56-000000000002', '2026-11-02 12:00:00+00', '{"changes": [], "sync_id": 2}', 0, 1, 'anna@example.com', 9.25);
INSERT INTO landing.shop__users VALUES ('01a23050-a0f8-7f92-bc72-000000000002', '2026-11-01 12:00:00+00', '{"changes": [], "sync_id": 1}', 0, 2, 'Ben');
INSERT INTO landing.shop__users VALUES ('01a23050-ba1b-742a-9c56-000000000001', '2026-11-02 12:00:00+00', '{"changes": [], "sync_id": 2}', 0, 1, 'Anne');
INSERT INTO navigate.shop__orders VALUES (2, 'ben@example.com', 2, 'c23ca0e5-cdda-1489-5766-795676839aa2', '2', '2026-11-01 12:00:00+00', NULL, true, NULL, 6319056113918482320, '01a23050-a0f8-7f92-bc72-000000000004', '7ab86d44-b579-42c9-a2ac-a78d14f0dd79');
INSERT INTO navigate.shop__orders VALUES (1, 'anna@example.com', 1.5, '7cf299e8-245b-b781-69ba-532964d35276', '1', '2026-11-01 12:00:00+00', '2026-11-02 12:00:00+00', false, 'update', 4186224932239104489, '01a23050-a0f8-7f92-bc72-000000000003', '66bffa1d-c522-4f11-a14a-3a8efd2c3283');
INSERT INTO navigate.shop__orders VALUES (1, 'anna@example.com', 9.25, 'a68142ce-59f0-3e13-0866-d8a0d93c1a9f', '1', '2026-11-02 12:00:00+00', NULL, true, NULL, 1840945209208586378, '01a23050-ba1b-742a-9c56-000000000002', '66bffa1d-c522-4f11-a14a-3a8efd2c3283');
INSERT INTO navigate.shop__users VALUES (2, 'Ben', 'b222ef9d-1831-2329-56e4-81ba319740f6', '2', '2026-11-01 12:00:00+00', NULL, true, NULL, -5896316113136774845, '01a23050-a0f8-7f92-bc72-000000000002', '7ab86d44-b579-42c9-a2ac-a78d14f0dd79');
INSERT INTO navigate.shop__users VALUES (1, 'Anna', '4fb2fb6f-7b67-21f5-c642-4245834d92e3', '1', '2026-11-01 12:00:00+00', '2026-11-02 12:00:00+00', false, 'update', 3244455836534902701, '01a23050-a0f8-7f92-bc72-000000000001', '66bffa1d-c522-4f11-a14a-3a8efd2c3283');
INSERT INTO navigate.shop__users VALUES (1, 'Anne', 'ef6121bb-7012-adf9-fd58-a4ade826fada', '1', '2026-11-02 12:00:00+00', NULL, true, NULL, -2352862944537106369, '01a23050-ba1b-742a-9c56-000000000001', '66bffa1d-c522-4f11-a14a-3a8efd2c3283');
INSERT INTO pipeline.catalog VALUES ('20f4359e-76be-5fe2-9eb9-ec3b3f46ad55', 'shop', '{"connectionId": "20f4359e-76be-5fe2-9eb9-ec3b3f46ad55", "name": "shop", "sourceId": "8c9642f4-4c93-5ea7-a5be-6f061a4bff9d", "destinationId": "4bf54a59-a5dc-5c3e-abcd-bfeda9eca912", "workspaceId": "00000000-0000-4000-8000-a71a5da65e12", "status": "active", "prefix": "shop__", "namespaceDefinition": "destination", "namespaceFormat": "", "scheduleType": "manual", "syncCatalog": {"streams": [{"stream": {"name": "users", "jsonSchema": {"type": "object", "properties": {"id": {"type": "integer"}, "name": {"type": "string"}}}, "supportedSyncModes": ["full_refresh", "incremental"], "sourceDefinedCursor": false, "defaultCursorField": [], "sourceDefinedPrimaryKey": [["id"]], "isResumable": false}, "config": {"syncMode": "incremental", "destinationSyncMode": "append_dedup", "cursorField": [], "primaryKey": [["id"]], "aliasName": "users", "selected": true, "fieldSelectionEnabled": false, "selectedFields": []}}, {"stream": {"name": "orders", "jsonSchema": {"type": "object", "properties": {"id": {"type": "integer"}, "mail": {"type": "string"}, "total": {"type": "number"}}}, "supportedSyncModes": ["full_refresh", "incremental"], "sourceDefinedCursor": false, "defaultCursorField": [], "sourceDefinedPrimaryKey": [["id"]], "isResumable": false}, "config": {"syncMode": "incremental", "destinationSyncMode": "append", "cursorField": [], "primaryKey": [["id"]], "aliasName": "orders", "selected": true, "fieldSelectionEnabled": false, "selectedFields": []}}]}}', '{"destinationId": "4bf54a59-a5dc-5c3e-abcd-bfeda9eca912", "name": "Atlas warehouse", "destinationType": "postgres", "workspaceId": "00000000-0000-4000-8000-a71a5da65e12", "configuration": {"database": "atlas", "schema": "landing"}}', '2026-12-01 06:35:26.619212+00');
INSERT INTO pipeline.connector_state VALUES ('20f4359e-76be-5fe2-9eb9-ec3b3f46ad55', '', 'users', 1, 'STREAM', '{"seen": 2}', 1, '2026-12-01 06:35:20.279846+00');
INSERT INTO pipeline.connector_state VALUES ('20f4359e-76be-5fe2-9eb9-ec3b3f46ad55', '', 'orders', 1, 'STREAM', '{"seen": 2}', 1, '2026-12-01 06:35:20.279846+00');
INSERT INTO pipeline.connector_state VALUES ('20f4359e-76be-5fe2-9eb9-ec3b3f46ad55', '', 'users', 2, 'STREAM', '{"seen": 3}', 2, '2026-12-01 06:35:26.729405+00');
INSERT INTO pipeline.connector_state VALUES ('20f4359e-76be-5fe2-9eb9-ec3b3f46ad55', '', 'orders', 2, 'STREAM', '{"seen": 3}', 2, '2026-12-01 06:35:26.729405+00');
INSERT INTO pipeline.explore_progress VALUES ('shop__orders', 16742, '782:782:', '2026-12-01 06:35:27.3827+00');
INSERT INTO pipeline.explore_progress VALUES ('shop__users', 16724, '783:783:', '2026-12-01 06:35:27.446706+00');
INSERT INTO pipeline.layer_table VALUES ('explore', 'shop__orders', '', 3, NULL, '2026-12-01 06:35:20.842062+00', NULL, '{}');
INSERT INTO pipeline.layer_table VALUES ('explore', 'shop__users', '', 3, NULL, '2026-12-01 06:35:20.922372+00', NULL, '{}');
INSERT INTO pipeline.layer_table VALUES ('chart', 'shop__orders', '236dfb158fc4be6f', 3, NULL, '2026-12-01 06:35:25.937994+00', NULL, '{}');
INSERT INTO pipeline.layer_table VALUES ('chart', 'shop__users', '236dfb158fc4be6f', 3, NULL, '2026-12-01 06:35:26.050489+00', NULL, '{}');
INSERT INTO pipeline.layer_table VALUES ('navigate', 'shop__orders', '236dfb158fc4be6f', 3, 2, '2026-12-01 06:35:26.142367+00', NULL, '{}');
INSERT INTO pipeline.layer_table VALUES ('navigate', 'shop__users', '236dfb158fc4be6f', 3, 2, '2026-12-01 06:35:26.274432+00', NULL, '{}');
INSERT INTO pipeline.pii_finding VALUES ('shop__orders', '2026-11-01', '{mail}', 'EMAIL_ADDRESS', 2, 2, 2, 1, 1, 'values', 0.99, '{"the name says ''mail''","EMAIL_ADDRESS in 100.0% of the values, mean score 1.00"}');
INSERT INTO pipeline.pii_finding VALUES ('shop__orders', '2026-11-01', '{mail}', 'URL', 2, 2, 2, 0.5, 0.5, NULL, NULL, '{}');
INSERT INTO pipeline.pii_finding VALUES ('shop__users', '2026-11-01', '{name}', 'PERSON', 2, 0, 0, 0, 0, 'name', 0.85, '{"the name says ''users name''","the values could be such, and no recognizer tells"}');
INSERT INTO pipeline.pii_finding VALUES ('shop__orders', '2026-11-02', '{mail}', 'EMAIL_ADDRESS', 1, 1, 1, 1, 1, 'values', 0.99, '{"the name says ''mail''","EMAIL_ADDRESS in 100.0% of the values, mean score 1.00"}');
INSERT INTO pipeline.pii_finding VALUES ('shop__orders', '2026-11-02', '{mail}', 'URL', 1, 1, 1, 0.5, 0.5, NULL, NULL, '{}');
INSERT INTO pipeline.pii_finding VALUES ('shop__users', '2026-11-02', '{name}', 'PERSON', 1, 0, 0, 0, 0, 'name', 0.85, '{"the name says ''users name''","the values could be such, and no recognizer tells"}');
INSERT INTO pipeline.pii_scan VALUES ('shop__orders', '2026-11-01', '47bf6ff5f6a07cb33dfa9b1cb4d9da03', 2, '{"cut": [], "ner": "NER: not active", "maps": []}', '7ab86d44-b579-42c9-a2ac-a78d14f0dd79', '2026-12-01 06:35:25.652614+00');
INSERT INTO pipeline.pii_scan VALUES ('shop__users', '2026-11-01', '47bf6ff5f6a07cb33dfa9b1cb4d9da03', 2, '{"cut": [], "ner": "NER: not active", "maps": []}', '7ab86d44-b579-42c9-a2ac-a78d14f0dd79', '2026-12-01 06:35:25.844124+00');
INSERT INTO pipeline.pii_scan VALUES ('shop__orders', '2026-11-02', '47bf6ff5f6a07cb33dfa9b1cb4d9da03', 1, '{"cut": [], "ner": "NER: not active", "maps": []}', '66bffa1d-c522-4f11-a14a-3a8efd2c3283', '2026-12-01 06:35:27.855321+00');
INSERT INTO pipeline.pii_scan VALUES ('shop__users', '2026-11-02', '47bf6ff5f6a07cb33dfa9b1cb4d9da03', 1, '{"cut": [], "ner": "NER: not active", "maps": []}', '66bffa1d-c522-4f11-a14a-3a8efd2c3283', '2026-12-01 06:35:28.031673+00');
INSERT INTO pipeline.schema_version VALUES (1, '0001_pipeline', '2026-12-01 06:35:19.898947+00');
INSERT INTO pipeline.schema_version VALUES (2, '0002_soft_casts', '2026-12-01 06:35:19.898947+00');
INSERT INTO pipeline.schema_version VALUES (3, '0003_snapshots', '2026-12-01 06:35:19.898947+00');
INSERT INTO pipeline.schema_version VALUES (4, '0004_schema_drift', '2026-12-01 06:35:19.898947+00');
INSERT INTO pipeline.schema_version VALUES (5, '0005_retention', '2026-12-01 06:35:19.898947+00');
INSERT INTO pipeline.schema_version VALUES (6, '0006_workspace_snapshot', '2026-12-01 06:35:19.898947+00');
INSERT INTO pipeline.schema_version VALUES (7, '0007_observed_syncs', '2026-12-01 06:35:19.898947+00');
INSERT INTO pipeline.schema_version VALUES (8, '0008_pii', '2026-12-01 06:35:19.898947+00');
INSERT INTO pipeline.schema_version VALUES (9, '0009_told_syncs', '2026-12-01 06:35:19.898947+00');
INSERT INTO pipeline.stream VALUES ('shop__orders', 'shop', 'orders', '20f4359e-76be-5fe2-9eb9-ec3b3f46ad55', '', 'orders', '2026-12-01 06:35:20.842062+00');
INSERT INTO pipeline.stream VALUES ('shop__users', 'shop', 'users', '20f4359e-76be-5fe2-9eb9-ec3b3f46ad55', '', 'users', '2026-12-01 06:35:20.922372+00');
INSERT INTO pipeline.stream_column VALUES ('shop__orders', 'id', 0, 'id', 'id', 'bigint', 'bigint', false);
INSERT INTO pipeline.stream_column VALUES ('shop__orders', 'mail', 1, 'mail', 'mail', 'varchar', 'varchar', false);
INSERT INTO pipeline.stream_column VALUES ('shop__orders', 'total', 2, 'total', 'total', 'numeric', 'numeric', false);
INSERT INTO pipeline.stream_column VALUES ('shop__users', 'id', 0, 'id', 'id', 'bigint', 'bigint', false);
INSERT INTO pipeline.stream_column VALUES ('shop__users', 'name', 1, 'name', 'name', 'varchar', 'varchar', false);
INSERT INTO pipeline.sync VALUES ('20f4359e-76be-5fe2-9eb9-ec3b3f46ad55', 1, 'sync', 'succeeded', '2026-12-01 06:35:20.006596+00', '2026-12-01 06:35:20.279846+00', '665e2b9a-b7d5-4916-bae7-07d987401a5b', false, NULL, '2026-12-01 06:35:20.006596+00', NULL, NULL);
INSERT INTO pipeline.sync VALUES ('20f4359e-76be-5fe2-9eb9-ec3b3f46ad55', 2, 'sync', 'succeeded', '2026-12-01 06:35:26.604549+00', '2026-12-01 06:35:26.729405+00', '6fd50ffe-5b66-4f67-b56d-501c5745bb27', false, NULL, '2026-12-01 06:35:26.604549+00', NULL, NULL);
INSERT INTO pipeline.sync_stream VALUES ('20f4359e-76be-5fe2-9eb9-ec3b3f46ad55', 1, '', 'users', 0, 0, 'complete', 2, 49, 2, 49, '2026-11-01 12:00:00+00', '2026-11-01 12:00:00+00', '{2026-11-01}', NULL, '2026-12-01 06:35:20.279846+00', false, true);
INSERT INTO pipeline.sync_stream VALUES ('20f4359e-76be-5fe2-9eb9-ec3b3f46ad55', 1, '', 'orders', 0, 0, 'complete', 2, 99, 2, 99, '2026-11-01 12:00:00+00', '2026-11-01 12:00:00+00', '{2026-11-01}', NULL, '2026-12-01 06:35:20.279846+00', false, true);
INSERT INTO pipeline.sync_stream VALUES ('20f4359e-76be-5fe2-9eb9-ec3b3f46ad55', 2, '', 'users', 0, 0, 'complete', 1, 25, 1, 25, '2026-11-02 12:00:00+00', '2026-11-02 12:00:00+00', '{2026-11-02}', NULL, '2026-12-01 06:35:26.729405+00', false, true);
INSERT INTO pipeline.sync_stream VALUES ('20f4359e-76be-5fe2-9eb9-ec3b3f46ad55', 2, '', 'orders', 0, 0, 'complete', 1, 52, 1, 52, '2026-11-02 12:00:00+00', '2026-11-02 12:00:00+00', '{2026-11-02}', NULL, '2026-12-01 06:35:26.729405+00', false, true);
SELECT pg_catalog.setval('pipeline.job_id', 2, true);
SELECT pg_catalog.setval('pipeline.notice_notice_id_seq', 1, false);
SELECT pg_catalog.setval('pipeline.schema_change_id_seq', 1, false);
ALTER TABLE ONLY chart.shop__orders
    ADD CONSTRAINT shop__orders_pkey PRIMARY KEY (_airbyte_raw_id);
ALTER TABLE ONLY chart.shop__users
    ADD CONSTRAINT shop__users_pkey PRIMARY KEY (_airbyte_raw_id);
ALTER TABLE ONLY explore.shop__orders
    ADD CONSTRAINT shop__orders_pkey PRIMARY KEY (_airbyte_raw_id);
ALTER TABLE ONLY explore.shop__users
    ADD CONSTRAINT shop__users_pkey PRIMARY KEY (_airbyte_raw_id);
ALTER TABLE ONLY navigate.shop__orders
    ADD CONSTRAINT shop__orders_pkey PRIMARY KEY (_atlas_natural_key, _atlas_valid_from);
ALTER TABLE ONLY navigate.shop__users
    ADD CONSTRAINT shop__users_pkey PRIMARY KEY (_atlas_natural_key, _atlas_valid_from);
ALTER TABLE ONLY pipeline.catalog
    ADD CONSTRAINT catalog_connection_key UNIQUE (connection);
ALTER TABLE ONLY pipeline.catalog
    ADD CONSTRAINT catalog_pkey PRIMARY KEY (connection_id);
ALTER TABLE ONLY pipeline.connector_state
    ADD CONSTRAINT connector_state_pkey PRIMARY KEY (connection_id, namespace, name, version);
ALTER TABLE ONLY pipeline.dirty_key
    ADD CONSTRAINT dirty_key_pkey PRIMARY KEY (table_name, natural_key);
ALTER TABLE ONLY pipeline.explore_progress
    ADD CONSTRAINT explore_progress_pkey PRIMARY KEY (table_name);
ALTER TABLE ONLY pipeline.layer_table
    ADD CONSTRAINT layer_table_pkey PRIMARY KEY (layer, table_name);
ALTER TABLE ONLY pipeline.notice
    ADD CONSTRAINT notice_fingerprint_key UNIQUE (fingerprint);
ALTER TABLE ONLY pipeline.notice
    ADD CONSTRAINT notice_pkey PRIMARY KEY (notice_id);
ALTER TABLE ONLY pipeline.pii_finding
    ADD CONSTRAINT pii_finding_pkey PRIMARY KEY (table_name, day, path, entity);
ALTER TABLE ONLY pipeline.pii_scan
    ADD CONSTRAINT pii_scan_pkey PRIMARY KEY (table_name, day);
ALTER TABLE ONLY pipeline.schema_change
    ADD CONSTRAINT schema_change_pkey PRIMARY KEY (id);
ALTER TABLE ONLY pipeline.schema_version
    ADD CONSTRAINT schema_version_pkey PRIMARY KEY (version);
ALTER TABLE ONLY pipeline.snapshot_refusal
    ADD CONSTRAINT snapshot_refusal_pkey PRIMARY KEY (table_name, job_id);
ALTER TABLE ONLY pipeline.stream_column
    ADD CONSTRAINT stream_column_pkey PRIMARY KEY (table_name, name);
ALTER TABLE ONLY pipeline.stream_column
    ADD CONSTRAINT stream_column_table_name_layer_key UNIQUE (table_name, layer);
ALTER TABLE ONLY pipeline.stream_column
    ADD CONSTRAINT stream_column_table_name_position_key UNIQUE (table_name, "position");
ALTER TABLE ONLY pipeline.stream
    ADD CONSTRAINT stream_connection_stream_key UNIQUE (connection, stream);
ALTER TABLE ONLY pipeline.stream
    ADD CONSTRAINT stream_pkey PRIMARY KEY (table_name);
ALTER TABLE ONLY pipeline.sync
    ADD CONSTRAINT sync_pkey PRIMARY KEY (connection_id, job_id);
ALTER TABLE ONLY pipeline.sync_stream
    ADD CONSTRAINT sync_stream_pkey PRIMARY KEY (connection_id, job_id, namespace, name);
ALTER TABLE ONLY pipeline.webhook_refusal
    ADD CONSTRAINT webhook_refusal_pkey PRIMARY KEY (reason, hour);
ALTER TABLE ONLY pipeline.workspace_snapshot
    ADD CONSTRAINT workspace_snapshot_pkey PRIMARY KEY (workspace_id);
CREATE INDEX shop__orders__atlas_natural_key__atlas_instant_idx ON chart.shop__orders USING btree (_atlas_natural_key, _atlas_instant);
CREATE INDEX shop__orders__atlas_partition_idx ON chart.shop__orders USING btree (_atlas_partition);
CREATE INDEX shop__users__atlas_natural_key__atlas_instant_idx ON chart.shop__users USING btree (_atlas_natural_key, _atlas_instant);
CREATE INDEX shop__users__atlas_partition_idx ON chart.shop__users USING btree (_atlas_partition);
CREATE INDEX shop__orders__atlas_partition_idx ON explore.shop__orders USING btree (_atlas_partition);
CREATE INDEX shop__users__atlas_partition_idx ON explore.shop__users USING btree (_atlas_partition);
CREATE INDEX idx_extracted_at_shop__orders ON landing.shop__orders USING btree (_airbyte_extracted_at);
CREATE INDEX idx_extracted_at_shop__users ON landing.shop__users USING btree (_airbyte_extracted_at);
CREATE INDEX idx_pk_shop__users ON landing.shop__users USING btree (id);
CREATE UNIQUE INDEX shop__orders__atlas_natural_key_idx ON navigate.shop__orders USING btree (_atlas_natural_key) WHERE (_atlas_valid_to IS NULL);
CREATE UNIQUE INDEX shop__users__atlas_natural_key_idx ON navigate.shop__users USING btree (_atlas_natural_key) WHERE (_atlas_valid_to IS NULL);
CREATE INDEX notice_unsettled ON pipeline.notice USING btree (notice_id) WHERE (settled_at IS NULL);
CREATE INDEX pii_finding_verdict ON pipeline.pii_finding USING btree (table_name) WHERE (verdict IS NOT NULL);
CREATE INDEX schema_change_of_stream ON pipeline.schema_change USING btree (table_name, changed_at);
CREATE INDEX sync_stream_generation ON pipeline.sync_stream USING btree (connection_id, namespace, name, generation_id);
CREATE INDEX sync_untold ON pipeline.sync USING btree (connection_id, job_id) WHERE (told_at IS NULL);
ALTER TABLE ONLY pipeline.dirty_key
    ADD CONSTRAINT dirty_key_table_name_fkey FOREIGN KEY (table_name) REFERENCES pipeline.stream(table_name);
ALTER TABLE ONLY pipeline.explore_progress
    ADD CONSTRAINT explore_progress_table_name_fkey FOREIGN KEY (table_name) REFERENCES pipeline.stream(table_name);
ALTER TABLE ONLY pipeline.layer_table
    ADD CONSTRAINT layer_table_table_name_fkey FOREIGN KEY (table_name) REFERENCES pipeline.stream(table_name);
ALTER TABLE ONLY pipeline.pii_finding
    ADD CONSTRAINT pii_finding_table_name_day_fkey FOREIGN KEY (table_name, day) REFERENCES pipeline.pii_scan(table_name, day) ON DELETE CASCADE;
ALTER TABLE ONLY pipeline.pii_scan
    ADD CONSTRAINT pii_scan_table_name_fkey FOREIGN KEY (table_name) REFERENCES pipeline.stream(table_name);
ALTER TABLE ONLY pipeline.schema_change
    ADD CONSTRAINT schema_change_table_name_fkey FOREIGN KEY (table_name) REFERENCES pipeline.stream(table_name);
ALTER TABLE ONLY pipeline.snapshot_refusal
    ADD CONSTRAINT snapshot_refusal_table_name_fkey FOREIGN KEY (table_name) REFERENCES pipeline.stream(table_name);
ALTER TABLE ONLY pipeline.stream_column
    ADD CONSTRAINT stream_column_table_name_fkey FOREIGN KEY (table_name) REFERENCES pipeline.stream(table_name);
ALTER TABLE ONLY pipeline.sync_stream
    ADD CONSTRAINT sync_stream_connection_id_job_id_fkey FOREIGN KEY (connection_id, job_id) REFERENCES pipeline.sync(connection_id, job_id) ON DELETE CASCADE;
