"""What the demo publishes: its own runs, to a sandbox that is up as long as it publishes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from atlas_dagster.catalog_store import load_connection
from atlas_dagster.demo_runs import demo_run_ends
from atlas_dagster.errors import AtlasError
from atlas_dagster.qalita.mapping import QalitaMapping
from atlas_dagster.qalita.settings import load_qalita_server
from atlas_dagster.settings import Settings
from atlas_dagster.warehouse import PgConnection, resolve_session_url

if TYPE_CHECKING:
    import dagster as dg

SECONDS = 60.0


def publish_demo(
    settings: Settings,
    instance: dg.DagsterInstance,
    warehouse: PgConnection,
    connection: str,
    demo_id: str,
) -> str | None:
    """Publish the demo's runs as the sensor `qalita` does; returns what arrived, in a sentence.

    None where a platform is set, or deliveries wait for one: they are not the sandbox's. Raises
    AtlasError where a delivery does not arrive.
    """
    from atlas_dagster.assets.qalita_sensor import Tick, send, summary
    from atlas_dagster.http_retries import Retries
    from atlas_dagster.qalita.client import QalitaApi
    from atlas_dagster.qalita.deliveries import waiting
    from atlas_dagster.qalita.http import QalitaHttp
    from atlas_dagster.qalita.mapping import Route
    from atlas_dagster.qalita.sandbox.app import API_TOKEN, serving
    from atlas_dagster.qalita.sandbox.store import PACK_NAME
    from atlas_dagster.qalita.settings import QalitaServer

    if load_qalita_server() is not None or waiting(warehouse):
        return None
    url = resolve_session_url(settings)
    with serving(url) as sandbox:
        server = QalitaServer(sandbox, API_TOKEN, provisions=True)
        api = QalitaApi(QalitaHttp(server, Retries(most=2)))
        try:
            pack = next(pack for pack in api.packs() if pack.name == PACK_NAME)
            mapping = QalitaMapping("demo", default=Route("demo", None, None, pack.id, None))
            tick = Tick(_write(instance, warehouse, connection, demo_id, mapping))
            send(warehouse, api, mapping, tick, time.monotonic() + SECONDS)
        finally:
            api.http.close()
    if tick.waiting or tick.round is None or tick.round.parked:
        raise AtlasError(f"not all was published to the sandbox: {summary(tick)}")
    return f"{tick.round.sent} jobs, one a sync and one a layer run of each stream"


def _write(
    instance: dg.DagsterInstance,
    warehouse: PgConnection,
    connection: str,
    demo_id: str,
    mapping: QalitaMapping,
) -> int:
    """Write down what the demo's runs did; they have ended, so there is nothing to let settle."""
    from atlas_dagster.assets.qalita_deliveries import build_deliveries
    from atlas_dagster.assets.qalita_reading import run_works
    from atlas_dagster.qalita.deliveries import write_deliveries
    from atlas_dagster.qalita.mapping import defined_subjects

    subjects = defined_subjects([load_connection(warehouse, connection)])
    ends = demo_run_ends(instance, demo_id)
    works = [work for end in ends for work in run_works(instance, end)]
    return write_deliveries(warehouse, build_deliveries(warehouse, works, subjects, mapping))
