"""What is published of a run's quality: of scans that ended, and of no others."""

from __future__ import annotations

from datetime import datetime, timezone

from atlas_dagster.qalita.known import BuiltTable, load_known
from atlas_dagster.quality.queries import Scan
from atlas_dagster.quality.score import score
from atlas_dagster.quality.spec import MissingParameters, Outcome, Rule, Status
from atlas_dagster.quality.store import save_scan, start_scan
from atlas_dagster.warehouse import PgConnection
from atlas_dagster_tests.quality.support import CHART, charted, check, days

THE_RUN = BuiltTable(CHART.name, "run", datetime(2024, 1, 3, tzinfo=timezone.utc))


def test_a_scan_that_has_not_ended_has_no_quality_to_tell_of(warehouse: PgConnection) -> None:
    charted(warehouse, [])
    scan = Scan(CHART, days(3))
    started = start_scan(warehouse, scan, "run")
    assert load_known(warehouse, [THE_RUN]).quality == {}
    missing = check(Rule.MISSING, "email", given=MissingParameters())
    found = [Outcome(missing, Status.PASS, tested=4, failed=0, ratio=1.0)]
    save_scan(warehouse, scan, found, score(found), "run", started=started)
    (quality,) = load_known(warehouse, [THE_RUN]).quality.values()
    assert quality.overall == 100
