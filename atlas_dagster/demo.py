"""The demo: a real connector, synced twice into the layers by real Dagster runs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import click
from psycopg import sql

from atlas_dagster.catalog import Stream, Table
from atlas_dagster.catalog_store import load_connection
from atlas_dagster.demo_lineage import write_demo_lineage
from atlas_dagster.demo_qalita import publish_demo
from atlas_dagster.demo_runs import TAG
from atlas_dagster.errors import AtlasError
from atlas_dagster.pii.store import load_verdicts
from atlas_dagster.quality.score import shown_score
from atlas_dagster.settings import Settings
from atlas_dagster.warehouse import PgConnection, connect, identifier, migrate, resolve_url

if TYPE_CHECKING:
    import dagster as dg

CONNECTION = "faker"

FIRST_SYNC = {"ATLAS_FAKER_COUNT": "1000", "ATLAS_FAKER_SEED": "1"}
SECOND_SYNC = {"ATLAS_FAKER_COUNT": "300", "ATLAS_FAKER_SEED": "2"}
"""Another seed: the first 300 users, and their purchases, come again with other values."""


@dataclass(frozen=True)
class StreamReport:
    """A line of the table that the demo ends with; ``personal`` counts fields.

    ``score`` is that of quality, 0 to 100, None where nothing was tested.
    """

    stream: str
    records_synced: int
    explore: int
    chart: int
    navigate: int
    current: int
    personal: int
    score: float | None
    seconds: float

    @property
    def closed(self) -> int:
        return self.navigate - self.current


def run_demo(settings: Settings) -> None:
    """Sync twice, build the layers, and print what they hold.

    Raises AtlasError naming the log where a run fails.
    """
    import dagster as dg

    click.echo("Atlas demo: airbyte-source-faker into explore, chart and navigate, by Dagster.")
    os.environ.setdefault("DAGSTER_HOME", str(Path.cwd()))
    log = settings.data_dir / "demo.log"
    with connect(resolve_url(settings)) as connection:
        migrate(connection)
        click.echo(f"PostgreSQL is up. The whole log: {_relative(log)}")
        demo_id = uuid.uuid4().hex[:8]
        log.write_text("")
        click.echo("\nFirst sync. The connector is installed once, into an environment of its own.")
        _run_job(FIRST_SYNC, demo_id, log)
        click.echo("\nSecond sync: 300 users have changed, and so have their purchases.")
        _run_job(SECOND_SYNC, demo_id, log)
        with dg.DagsterInstance.get() as instance:
            seconds = _seconds_by_stream(instance, demo_id)
            published = publish_demo(settings, instance, connection, CONNECTION, demo_id)
            lineage = write_demo_lineage(settings, instance, demo_id)
        reports = list(_reports(connection, seconds))
    click.echo()
    for line in format_table(reports):
        click.echo(line)
    click.echo(
        "\nPersonal: the fields that hold personal data. Score: of quality, at most 100."
        f" Seconds: of both runs, without the syncs, which took {seconds.get('sync', 0.0):.1f} s.\n"
        f"{_published(published)}"
        f"{_told(lineage)}"
        "See it in Dagster: make dev, then http://127.0.0.1:3000\n"
        'See the tables:    psql "$(.venv/bin/atlas postgres url)"\n'
        "PostgreSQL stays up until: make stop"
    )


def _published(what: str | None) -> str:
    if what is None:
        return ""
    return (
        f"Published to QALITA's sandbox: {what}.\n"
        "See it there:      .venv/bin/atlas qalita sandbox, then http://127.0.0.1:3080\n"
    )


def _told(lineage: tuple[Path, int] | None) -> str:
    if lineage is None:
        return ""
    file, events = lineage
    return f"OpenLineage:       {_relative(file)}, {events:,} events of both runs\n"


def format_table(reports: Sequence[StreamReport]) -> list[str]:
    """The reports as lines of aligned columns."""
    header = (
        "stream",
        "synced",
        "explore",
        "chart",
        "navigate",
        "current",
        "closed",
        "personal",
        "score",
        "seconds",
    )
    rows = [
        (
            r.stream,
            *(f"{n:,}" for n in (r.records_synced, r.explore, r.chart, r.navigate)),
            *(f"{n:,}" for n in (r.current, r.closed, r.personal)),
            "-" if r.score is None else shown_score(r.score),
            f"{r.seconds:.2f}",
        )
        for r in reports
    ]
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    return [
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in [header, *rows]
    ]


def _run_job(environment: Mapping[str, str], demo_id: str, log: Path) -> None:
    """Execute the connection's job in a process of its own, and show what its steps say."""
    partition = datetime.now(timezone.utc).date().isoformat()
    tags = json.dumps({"dagster/partition": partition, TAG: demo_id})
    command = [sys.executable, "-W", "ignore", "-m", "dagster", "job", "execute"]
    command += ["-m", "atlas_dagster.definitions", "-j", CONNECTION, "--tags", tags]
    started = time.monotonic()
    with (
        log.open("a") as sink,
        subprocess.Popen(
            command,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process,
    ):
        assert process.stdout is not None
        for line in process.stdout:
            sink.write(line)
            told = step_message(line)
            if told:
                click.echo(f"  {time.monotonic() - started:6.1f} s  {told}")
    if process.returncode != 0:
        reasons = re.findall(r"^dagster\S*\.Failure: (.*)", log.read_text(), re.MULTILINE)
        raise AtlasError(f"{reasons[-1] if reasons else 'the run failed'} ({_relative(log)})")


def step_message(line: str) -> str | None:
    """What a step says in a line of Dagster's log; None for Dagster's own events."""
    parts = line.rstrip("\n").split(" - ", 6)
    if len(parts) != 7 or parts[2] not in ("INFO", "WARNING", "ERROR") or parts[5].isdigit():
        return None
    return f"{parts[5].split('__')[0]:<12}{parts[6]}"


def _seconds_by_stream(instance: dg.DagsterInstance, demo_id: str) -> dict[str, float]:
    """Seconds spent on each stream, and under ``sync`` in the syncs."""
    from dagster import RunsFilter

    spent: dict[str, float] = {}
    for run in instance.get_runs(RunsFilter(tags={TAG: demo_id})):
        for step in instance.get_run_step_stats(run.run_id):
            name = step.step_key.rsplit("__", 1)[-1]
            key = "sync" if name == f"sync_{CONNECTION}" else name
            elapsed = (step.end_time or 0.0) - (step.start_time or 0.0)
            spent[key] = spent.get(key, 0.0) + elapsed
    return spent


def _reports(connection: PgConnection, seconds: Mapping[str, float]) -> Iterator[StreamReport]:
    for stream in load_connection(connection, CONNECTION).streams:
        yield StreamReport(
            stream=stream.slug,
            records_synced=_records_synced(connection, stream),
            explore=_count(connection, Table("explore", stream.table_name)),
            chart=_count(connection, Table("chart", stream.table_name)),
            navigate=_count(connection, Table("navigate", stream.table_name)),
            current=_count(connection, Table("navigate", f"{stream.table_name}_current")),
            personal=len({v.path for v in load_verdicts(connection, stream.table_name)}),
            score=_score(connection, stream),
            seconds=seconds.get(stream.slug, 0.0),
        )


def _score(connection: PgConnection, stream: Stream) -> float | None:
    """The score of the newest scan, which was of the day of the demo."""
    row = connection.execute(
        "select overall from pipeline.quality_score where table_name = %s and layer = 'chart'"
        " order by scan_id desc limit 1",
        (stream.table_name,),
    ).fetchone()
    return row[0] if row else None


def _records_synced(connection: PgConnection, stream: Stream) -> int:
    row = connection.execute(
        "select coalesce(sum(records_committed), 0) from pipeline.sync_stream"
        " where connection_id = %s and name = %s",
        (stream.connection_id, stream.name),
    ).fetchone()
    return int(row[0]) if row else 0


def _count(connection: PgConnection, table: Table) -> int:
    query = sql.SQL("select count(*) from {}").format(identifier(table))
    row = connection.execute(query).fetchone()
    return int(row[0]) if row else 0


def _relative(path: Path) -> str:
    return os.path.relpath(path)
