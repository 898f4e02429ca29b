"""The sensor `qalita`: what runs did is written down as deliveries, and then sent.

A tick that is cut off anywhere is no matter: its deliveries are committed before Dagster saves the
cursor, and what is read again has the key that it had. What is sent is noted in the deliveries
themselves, so that the next tick goes on from there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

import dagster as dg
import msgspec

from atlas_dagster.assets.layer_runs import BUDGET_SECONDS
from atlas_dagster.assets.qalita_asset import evaluate_parked
from atlas_dagster.assets.qalita_deliveries import Work, build_deliveries
from atlas_dagster.assets.qalita_reading import read_works
from atlas_dagster.assets.run_ends import settled
from atlas_dagster.catalog import Connection
from atlas_dagster.errors import BusyError
from atlas_dagster.qalita.deliveries import (
    Parked,
    Waiting,
    known_keys,
    parked,
    prune,
    waiting,
    write_deliveries,
)
from atlas_dagster.qalita.mapping import (
    QalitaMapping,
    Subjects,
    defined_subjects,
    load_mapping,
)
from atlas_dagster.qalita.settings import URL_NAMES, QalitaServer
from atlas_dagster.settings import Settings
from atlas_dagster.warehouse import PgConnection, connect, migrate, resolve_session_url

if TYPE_CHECKING:
    from atlas_dagster.qalita.client import QalitaApi
    from atlas_dagster.qalita.sender import Round

KEPT_DAYS = 30
"""How long it is remembered what was delivered; without a cursor nothing older is published."""

READING_SECONDS = 15.0
WORKS_PER_WRITE = 500

_DAY_SECONDS = 86400.0


class QalitaCursor(msgspec.Struct, frozen=True):
    """Up to which event the log is read, by its kind; whose refusals Dagster has been told of."""

    after: dict[str, int] = {}
    refused: dict[str, list[int]] = {}


@dataclass
class Tick:
    """What a tick came to."""

    written: int = 0
    round: Round | None = None
    busy: str | None = None
    waiting: Sequence[Waiting] = ()
    events: list[dg.AssetCheckEvaluation] = field(default_factory=list[dg.AssetCheckEvaluation])


def build_qalita_sensor(
    settings: Settings, server: QalitaServer | None, connections: Sequence[Connection]
) -> dg.SensorDefinition:
    """The sensor; it is off unless the environment names a platform."""
    subjects = defined_subjects(connections)
    slugs = [connection.slug for connection in connections]
    ask = kept_api(server)

    def qalita(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        if server is None:
            return dg.SensorResult(skip_reason=f"{URL_NAMES[0]} is not set: nothing is published")
        deadline = time.monotonic() + BUDGET_SECONDS
        cursor = _parse(context.cursor)
        mapping = load_mapping(settings.config_dir)
        with connect(resolve_session_url(settings), application="atlas qalita") as warehouse:
            migrate(warehouse)
            after, written = record_works(
                context.instance, warehouse, cursor.after, settled(), subjects, mapping
            )
            tick = Tick(written)
            prune(warehouse, KEPT_DAYS)
            if waiting(warehouse):
                send(warehouse, ask(), mapping, tick, deadline)
            refused = _tell_refused(warehouse, slugs, cursor.refused, tick)
        return dg.SensorResult(
            asset_events=tick.events,
            cursor=msgspec.json.encode(QalitaCursor(after, refused)).decode(),
            skip_reason=summary(tick),
        )

    return dg.SensorDefinition(
        name="qalita",
        evaluation_fn=qalita,
        description="Publishes to QALITA what syncs and layer runs did: schemas, metrics,"
        " recommendations and jobs, each once.",
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING if server else dg.DefaultSensorStatus.STOPPED,
    )


def kept_api(server: QalitaServer | None) -> Callable[[], QalitaApi]:
    """A client for ticks, made when it is asked for and kept: it has a pool, and a token."""

    @cache
    def ask() -> QalitaApi:
        from atlas_dagster.http_retries import Retries
        from atlas_dagster.qalita.client import QalitaApi
        from atlas_dagster.qalita.http import QalitaHttp

        assert server
        return QalitaApi(QalitaHttp(server, Retries(most=2)))

    return ask


def record_works(
    instance: dg.DagsterInstance,
    warehouse: PgConnection,
    after: Mapping[str, int],
    newest: float,
    subjects: Subjects,
    mapping: QalitaMapping,
) -> tuple[dict[str, int], int]:
    """Write down what is new in the log, and not younger than ``newest``.

    Returns the cursor, and how many deliveries are new.
    """
    reached, written = dict(after), 0
    works: list[Work] = []
    since = time.time() - KEPT_DAYS * _DAY_SECONDS
    for name, storage_id, found in read_works(
        instance, after, since, newest, time.monotonic() + READING_SECONDS
    ):
        works += found
        reached[name] = storage_id
        if len(works) >= WORKS_PER_WRITE:
            written += _write(warehouse, works, subjects, mapping)
            works = []
    return reached, written + _write(warehouse, works, subjects, mapping)


def _write(
    warehouse: PgConnection, works: Sequence[Work], subjects: Subjects, mapping: QalitaMapping
) -> int:
    """Write down works that are not yet, in one statement."""
    if not works:
        return 0
    known = known_keys(warehouse, [work.key for work in works])
    new = {work.key: work for work in works if work.key not in known}
    return write_deliveries(
        warehouse, build_deliveries(warehouse, list(new.values()), subjects, mapping)
    )


def send(
    warehouse: PgConnection, api: QalitaApi, mapping: QalitaMapping, tick: Tick, deadline: float
) -> None:
    """Send what is due until the deadline."""
    from atlas_dagster.qalita.provision import Provisioner
    from atlas_dagster.qalita.sender import send_due
    from atlas_dagster.qalita.targets import Targets

    server = api.http.server
    provision = Provisioner(warehouse, api, server.settle_seconds) if server.provisions else None
    try:
        tick.round = send_due(
            warehouse, api, Targets(api, mapping, provision), deadline - time.monotonic()
        )
    except BusyError as error:
        tick.busy = str(error)
    tick.waiting = waiting(warehouse)


def _tell_refused(
    warehouse: PgConnection, slugs: Sequence[str], told: Mapping[str, list[int]], tick: Tick
) -> dict[str, list[int]]:
    """Evaluate the check of each connection whose refused deliveries are others than before."""
    by_connection: dict[str, list[Parked]] = {}
    for each in parked(warehouse):
        by_connection.setdefault(each.connection, []).append(each)
    refused = {slug: [p.id for p in by_connection[slug]] for slug in slugs if slug in by_connection}
    tick.events += [
        evaluate_parked(slug, by_connection.get(slug, ()))
        for slug in slugs
        if refused.get(slug) != told.get(slug)
    ]
    return refused


def summary(tick: Tick) -> str:
    """One line of what a tick did, and of what waits for what."""
    done = tick.round
    counts = [
        (tick.written, "written"),
        (done.sent if done else 0, "sent"),
        (done.parked if done else 0, "refused"),
    ]
    said = [f"{count:,} {what}" for count, what in counts if count]
    parts = [f"deliveries: {', '.join(said)}" if said else "nothing new"]
    left = sum(each.deliveries for each in tick.waiting)
    if left:
        streams = len(tick.waiting)
        parts.append(f"{left:,} of {streams:,} {'stream' if streams == 1 else 'streams'} wait")
    return "; ".join([*parts, *_reasons(tick)])


def _reasons(tick: Tick) -> list[str]:
    if tick.busy:
        return [tick.busy]
    if tick.round is None:
        return []
    reasons: list[str] = []
    if tick.round.unmapped:
        first, *others = tick.round.unmapped.values()
        reasons.append(first if not others else f"{first}; and {len(others):,} more like it")
    troubles = list(dict.fromkeys(tick.round.troubles.values()))
    if tick.round.stopped:
        reasons.append(tick.round.stopped)
    elif troubles:
        reasons.append(troubles[0])
    if tick.round.out_of_time:
        reasons.append("the next tick goes on")
    return reasons


def _parse(text: str | None) -> QalitaCursor:
    return msgspec.json.decode(text, type=QalitaCursor) if text else QalitaCursor()
