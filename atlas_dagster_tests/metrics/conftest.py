from __future__ import annotations

import pytest

from atlas_dagster.warehouse import PgConnection


@pytest.fixture
def filled(warehouse: PgConnection) -> PgConnection:
    """A connection with a good sync and then a failed one, and one that never ended well."""
    warehouse.execute(
        """
        insert into pipeline.catalog (connection_id, connection, details, destination)
        values ('c1', 'shop', '{}', '{}');
        insert into pipeline.stream (table_name, connection, stream, connection_id, name)
        values ('shop__users', 'shop', 'users', 'c1', 'users');
        insert into pipeline.sync (connection_id, job_id, status, created_at, ended_at) values
            ('c1', 1, 'succeeded', '2026-01-01T00:00Z', '2026-01-01T00:01Z'),
            ('c1', 2, 'failed', '2026-01-02T00:00Z', '2026-01-02T00:00:30Z'),
            ('c1', 3, 'running', now(), null),
            ('c2', 9, 'failed', '2026-01-02T00:00Z', '2026-01-02T00:00:30Z');
        insert into pipeline.sync_stream (connection_id, job_id, name, generation_id,
            minimum_generation_id, status, records_committed, bytes_committed) values
            ('c1', 1, 'users', 0, 0, 'complete', 300, 9000),
            ('c1', 2, 'users', 0, 0, 'incomplete', 7, 70);
        insert into pipeline.layer_table (layer, table_name, definition, rows, current_rows) values
            ('explore', 'shop__users', '', 300, null), ('navigate', 'shop__users', '', 200, 100);
        insert into pipeline.explore_progress (table_name, landing, snapshot, place, taken_at)
        values ('shop__users', 1, pg_current_snapshot(), 'here', '2026-01-01T00:02Z');
        insert into pipeline.quality_score (table_name, layer, first_day, last_day, run_id,
            scanned_at, status, overall, coverage, is_graded, not_checked) values
            ('shop__users', 'chart', '2026-01-01', '2026-01-01', 'r', '2026-01-01T00:03Z', 'pass',
                100, 1, true, '{}'),
            ('shop__users', 'chart', '2026-01-02', '2026-01-03', 'r', '2026-01-03T00:03Z', 'fail',
                80, 1, true, '{}'),
            ('shop__users', 'navigate', null, null, 'r', '2026-01-01T00:04Z', 'pass', 100, 1, true,
                '{}');
        insert into pipeline.quality_result (scan_id, check_name, rule, dimension, columns, origin,
            status, message)
        select scan_id, status, 'r', 'validity', '{}', 'o', status, ''
        from (values (1, 'pass'), (2, 'pass'), (2, 'fail'), (2, 'error'), (2, 'warn'), (3, 'pass'))
            as result (scan_id, status);
        insert into pipeline.pii_scan (table_name, day, recognizers, rows, result, run_id)
        select 'shop__users', day, '', 1, '{}', 'r'
        from unnest(array['2026-01-01', '2026-01-02', '2026-01-03']::date[]) as day;
        insert into pipeline.pii_finding (table_name, day, path, entity, field_rows, values, rows,
            mean_score, max_score, verdict) values
            ('shop__users', '2026-01-03', '{mail}', 'EMAIL_ADDRESS', 1, 1, 1, 1, 1, 'values'),
            ('shop__users', '2026-01-03', '{mail}', 'URL', 1, 1, 1, 1, 1, 'values'),
            ('shop__users', '2026-01-03', '{id}', 'PHONE_NUMBER', 1, 1, 1, 1, 1, null),
            ('shop__users', '2026-01-01', '{old}', 'PERSON', 1, 1, 1, 1, 1, 'name');
        insert into pipeline.qalita_delivery (key, connection_id, connection, connection_name,
            content, state, written_at) values
            ('a', 'c1', 'shop', 'shop', '{}', 'open', '2026-01-01T00:00Z'),
            ('b', 'c1', 'shop', 'shop', '{}', 'parked', '2025-01-01T00:00Z'),
            ('c', 'c1', 'shop', 'shop', '{}', 'done', '2024-01-01T00:00Z');
        insert into pipeline.notice (kind, fingerprint, source) values ('sync', 'f', 'webhook');
        insert into pipeline.webhook_refusal (reason, hour, times, last_at) values
            (E'a "reason"\\nof \\\\ two lines', date_trunc('hour', now()), 5, now()),
            ('long ago', now() - interval '1 day', 7, now());
        """
    )
    return warehouse
