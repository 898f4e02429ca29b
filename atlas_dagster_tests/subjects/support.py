"""What the tests of subjects share: findings as a scan would store them."""

from __future__ import annotations

from datetime import date

from atlas_dagster.catalog import Stream
from atlas_dagster.pii.findings import EntityFinding, FieldFindings
from atlas_dagster.pii.store import FieldScan, UnscannedDay, save_scan
from atlas_dagster.pii.verdict import Verdict
from atlas_dagster.warehouse import PgConnection


def found(
    connection: PgConnection,
    stream: Stream,
    *paths: tuple[str, ...],
    day: date = date(2024, 1, 1),
    rows: int = 1,
    field_rows: int = 1,
    entity: str = "EMAIL_ADDRESS",
) -> None:
    """A scan of a day that found an entity in some fields, and nothing else."""
    finding = EntityFinding(entity, rows, rows, 1.0, 1.0, rows, rows)
    verdict = ("values", rows / field_rows, 1.0, 0.9, ("a test says so",))
    fields = [
        FieldScan(
            FieldFindings(path, field_rows, field_rows, (finding,)),
            (Verdict(path, entity, *verdict),),
        )
        for path in paths
    ]
    save_scan(
        connection,
        stream.table_name,
        UnscannedDay(day, field_rows),
        fields,
        recognizers="of a test",
        result={},
        run_id="run",
    )
