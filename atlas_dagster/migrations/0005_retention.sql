-- Before which day explore may have dropped versions that chart holds: they are not taken again.
alter table pipeline.layer_table add column dropped_before date;
