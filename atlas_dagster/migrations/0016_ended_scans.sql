-- A scan that is expected, goes on or was killed has not ended: it is an error without results, and
-- holds its days back.
alter table pipeline.quality_score add column has_ended boolean not null default true;

update pipeline.quality_score as scan
set has_ended = false
where layer = 'chart'
    and status = 'error'
    and not exists (select from pipeline.quality_result as result where result.scan_id = scan.scan_id);
