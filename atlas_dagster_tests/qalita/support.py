"""A client of the test's QALITA: it waits for nothing, and tells what it would wait."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from atlas_dagster.http_retries import DEFAULT_RETRIES, Retries
from atlas_dagster.qalita.client import QalitaApi
from atlas_dagster.qalita.http import QalitaHttp
from atlas_dagster.qalita.objects import Target
from atlas_dagster.qalita.settings import QalitaServer
from atlas_dagster_tests.qalita_server.double import API_TOKEN, PASSWORD, USER, QalitaDouble

SIGN_IN = {"token": None, "user": USER, "password": PASSWORD}


def server_settings(double: QalitaDouble, **changes: Any) -> QalitaServer:
    """The settings of someone who has an API token of the test's platform."""
    known = QalitaServer(
        base_url=double.url,
        token=API_TOKEN,
        credentials="QALITA_TOKEN" if "user" not in changes else "QALITA_USERNAME",
        url_name="QALITA_URL",
    )
    return replace(known, **changes)


def open_http(
    double: QalitaDouble,
    retries: Retries = DEFAULT_RETRIES,
    waits: list[float] | None = None,
    **changes: Any,
) -> QalitaHttp:
    """A client whose waits are noted instead of waited."""
    noted = [] if waits is None else waits
    return QalitaHttp(server_settings(double, **changes), retries, sleep=noted.append)


def open_api(double: QalitaDouble, retries: Retries = DEFAULT_RETRIES, **changes: Any) -> QalitaApi:
    return QalitaApi(open_http(double, retries, **changes))


def add_target(double: QalitaDouble, name: str = "orders") -> Target:
    """A source and a pack on the platform."""
    source = double.ledger.add_source(name)
    pack = double.ledger.add_pack("atlas")
    versions = double.ledger.source(source).get("versions")
    (pack_version,) = double.ledger.pack(pack)["versions"]
    return Target(
        source["id"], pack["id"], pack_version["id"], versions[0]["id"] if versions else None
    )
