-- A scan is of the rows of chart, or of the history in navigate; only the former is a gate.
alter table pipeline.quality_score
    add layer text not null default 'chart' check (layer in ('chart', 'navigate'));

drop index pipeline.quality_score_days;

create index quality_score_days
    on pipeline.quality_score (table_name, layer, first_day, last_day, scan_id);
