-- The catalog of an Airbyte server as it was last fetched, with the slug that each connection has:
-- what a machine that has no copy of its own defines its assets from while Airbyte is down.
create table pipeline.workspace_snapshot (
    workspace_id text primary key,
    snapshot json not null,  -- json keeps the order of properties, and so of columns
    fetched_at timestamptz not null
);
