"""A client of the test's Airbyte server: it waits for nothing, and tells what it would wait."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from atlas_dagster.airbyte.http import AirbyteHttp
from atlas_dagster.airbyte.server import AirbyteApi
from atlas_dagster.http_retries import DEFAULT_RETRIES, Retries
from atlas_dagster.settings import AirbyteServer
from atlas_dagster_tests.airbyte_server.double import AirbyteDouble


def server_settings(double: AirbyteDouble, **changes: Any) -> AirbyteServer:
    """The settings of someone who knows the test server's credentials."""
    name, secret = double.credentials or (None, None)
    known = AirbyteServer(
        rest_url=double.rest_url,
        configuration_url=double.configuration_url,
        workspace_id=double.ledger.workspace_id,
        name=name,
        secret=secret,
        uses_tokens=not double.basic,
        poll_seconds=0.0,
    )
    return replace(known, **changes)


def open_http(
    double: AirbyteDouble,
    retries: Retries = DEFAULT_RETRIES,
    waits: list[float] | None = None,
    **changes: Any,
) -> AirbyteHttp:
    """A client whose waits are noted instead of waited."""
    noted = [] if waits is None else waits
    return AirbyteHttp(server_settings(double, **changes), retries, sleep=noted.append)


def open_api(
    double: AirbyteDouble, retries: Retries = DEFAULT_RETRIES, **changes: Any
) -> AirbyteApi:
    return AirbyteApi(open_http(double, retries, **changes))


def environment(double: AirbyteDouble) -> dict[str, str]:
    """The variables that an operator sets for the test server."""
    name, secret = double.credentials or ("", "")
    names = (
        ("AIRBYTE_USERNAME", "AIRBYTE_PASSWORD")
        if double.basic
        else ("AIRBYTE_CLIENT_ID", "AIRBYTE_CLIENT_SECRET")
    )
    return {
        "AIRBYTE_REST_API_BASE_URL": double.rest_url,
        "AIRBYTE_CONFIGURATION_API_BASE_URL": double.configuration_url,
        "AIRBYTE_WORKSPACE_ID": double.ledger.workspace_id,
        "ATLAS_AIRBYTE_POLL_SECONDS": "0.001",
        **dict(zip(names, (name, secret), strict=True)),
    }
