"""A process that sends deliveries until it is killed.

``python -m atlas_dagster_tests.faults.qalita_worker <database url> <platform url>``
It writes a line before each round, so that whoever kills it knows that it is at work.
"""

from __future__ import annotations

import sys

from atlas_dagster.errors import BusyError
from atlas_dagster.qalita.client import QalitaApi
from atlas_dagster.qalita.http import QalitaHttp
from atlas_dagster.qalita.sender import send_due
from atlas_dagster.qalita.settings import QalitaServer
from atlas_dagster.qalita.targets import Targets
from atlas_dagster.warehouse import connect
from atlas_dagster_tests.qalita.publishing import mapping
from atlas_dagster_tests.qalita_server.double import API_TOKEN


def work(database_url: str, platform_url: str) -> None:
    api = QalitaApi(QalitaHttp(QalitaServer(platform_url, API_TOKEN, settle_seconds=3600)))
    with connect(database_url) as connection:
        while True:
            print("round", flush=True)  # noqa: T201
            try:
                send_due(connection, api, Targets(api, mapping()))
            except BusyError:
                print("busy", flush=True)  # noqa: T201


if __name__ == "__main__":
    work(*sys.argv[1:])
