-- What is told of a sync is read back from here, so what Airbyte did not say must not look like 0.
alter table pipeline.sync add column attempts int;

alter table pipeline.sync_stream add column counted boolean not null default true;
