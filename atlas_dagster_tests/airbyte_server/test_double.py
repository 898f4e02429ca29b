"""The test server is as Airbyte is: clients that others wrote read from it without complaint."""

from __future__ import annotations

import uuid
from datetime import datetime, timezone

import dagster as dg
import pytest
from airbyte_api import AirbyteAPI, api, errors, models
from airbyte_api.utils import RetryConfig
from dagster_airbyte import AirbyteWorkspace, build_airbyte_assets_definitions

from atlas_dagster_tests.airbyte_server.double import BUSY, AirbyteDouble
from atlas_dagster_tests.airbyte_server.ledger import stream


@pytest.fixture
def shop(airbyte_server: AirbyteDouble) -> AirbyteDouble:
    """A workspace of one connection, for those who know the client's secret."""
    # Credentials of its own for each test: the SDK keeps tokens by them, for ever.
    airbyte_server.credentials = ("client", uuid.uuid4().hex)
    airbyte_server.ledger.add_connection("shop", stream("users"), stream("orders"), prefix="p_")
    return airbyte_server


def stock(server: AirbyteDouble) -> AirbyteWorkspace:
    """dagster-airbyte's own workspace, as its documentation makes one."""
    assert server.credentials
    client_id, client_secret = server.credentials
    return AirbyteWorkspace(
        rest_api_base_url=server.rest_url,
        configuration_api_base_url=server.configuration_url,
        workspace_id=server.ledger.workspace_id,
        client_id=client_id,
        client_secret=client_secret,
        request_max_retries=0,
        poll_interval=0,
    )


def sdk(server: AirbyteDouble) -> AirbyteAPI:
    """The client that Airbyte publishes."""
    assert server.credentials
    client_id, client_secret = server.credentials
    credentials = models.SchemeClientCredentials(
        client_id=client_id,
        client_secret=client_secret,
        token_url=f"{server.rest_url}/applications/token",
    )
    return AirbyteAPI(
        server_url=server.rest_url,
        security=models.Security(client_credentials=credentials),
        # It wants a strategy of backing off even where it never does.
        retry_config=RetryConfig("none", None, False),  # pyright: ignore[reportArgumentType]
    )


def test_dagster_airbyte_loads_the_workspace(shop: AirbyteDouble) -> None:
    data = stock(shop).fetch_airbyte_workspace_data()
    (connection,) = data.connections_by_id.values()
    (destination,) = data.destinations_by_id.values()
    assert (connection.name, connection.stream_prefix) == ("shop", "p_")
    assert list(connection.streams) == ["users", "orders"]
    assert connection.streams["users"].json_schema["properties"] == {"id": {"type": "integer"}}
    assert (destination.type, destination.database, destination.schema) == (
        "postgres",
        "atlas",
        "landing",
    )


def test_dagster_airbyte_pages_through_more_connections_than_one_page_has(
    shop: AirbyteDouble,
) -> None:
    for number in range(250):
        shop.ledger.add_connection(f"c{number}")
    names = [found["name"] for found in stock(shop).get_client().get_connections()]
    assert names == ["shop", *(f"c{number}" for number in range(250))]


def test_dagster_airbyte_syncs_to_the_end(shop: AirbyteDouble) -> None:
    workspace = stock(shop)
    (connection,) = shop.ledger.connections.values()
    shop.ledger.plan(connection, "pending", "running", "incomplete", "running", "succeeded")
    (assets,) = build_airbyte_assets_definitions(workspace=workspace)
    result = dg.materialize([assets], resources={"airbyte": workspace})
    assert {
        event.asset_key.to_user_string()
        for event in result.get_asset_materialization_events()
        if event.asset_key
    } == {"p_users", "p_orders"}
    (job,) = shop.ledger.jobs.values()
    assert job.status == "succeeded"


def test_the_sdk_of_airbyte_reads_workspace_connections_and_destinations(
    shop: AirbyteDouble,
) -> None:
    client, workspace_id = sdk(shop), shop.ledger.workspace_id
    workspace = client.workspaces.get_workspace(request={"workspace_id": workspace_id})
    listed = client.connections.list_connections(request={"workspace_ids": [workspace_id]})
    assert workspace.workspace_response
    assert workspace.workspace_response.name == "Default Workspace"
    assert listed.connections_response
    (connection,) = listed.connections_response.data
    assert (connection.name, connection.status) == ("shop", models.ConnectionStatusEnum.ACTIVE)
    streams = connection.configurations.streams or []
    assert [(s.name, s.sync_mode) for s in streams] == [
        ("users", models.ConnectionSyncModeEnum.INCREMENTAL_DEDUPED_HISTORY),
        ("orders", models.ConnectionSyncModeEnum.INCREMENTAL_DEDUPED_HISTORY),
    ]
    destination = client.destinations.get_destination(
        request={"destination_id": connection.destination_id}
    )
    assert destination.destination_response
    assert destination.destination_response.destination_type == "postgres"


def test_the_sdk_of_airbyte_starts_lists_and_cancels_jobs(shop: AirbyteDouble) -> None:
    client = sdk(shop)
    (connection,) = shop.ledger.connections.values()
    request = models.JobCreateRequest(connection_id=connection.id, job_type=models.JobTypeEnum.SYNC)
    started = client.jobs.create_job(request=request).job_response
    assert started
    assert started.status is models.JobStatusEnum.PENDING
    with pytest.raises(errors.SDKError, match="409"):
        client.jobs.create_job(request=request)
    listed = client.jobs.list_jobs(request={"connection_id": connection.id}).jobs_response
    assert listed
    assert [job.job_id for job in listed.data] == [started.job_id]
    client.jobs.cancel_job(request={"job_id": started.job_id})
    cancelled = client.jobs.get_job(request={"job_id": started.job_id}).job_response
    assert cancelled
    assert cancelled.status is models.JobStatusEnum.CANCELLED
    assert cancelled.last_updated_at == "2026-01-01T00:00Z"


def test_the_sdk_of_airbyte_lists_the_jobs_that_changed_since_an_instant(
    shop: AirbyteDouble,
) -> None:
    client, workspace_id = sdk(shop), shop.ledger.workspace_id
    (connection,) = shop.ledger.connections.values()
    for kind in ("sync", "clear", "sync", "refresh", "reset"):  # an hour apart, the first at 0:00
        shop.ledger.finished_job(connection, kind)
    wanted: api.ListJobsRequestTypedDict = {
        "workspace_ids": [workspace_id],
        "updated_at_start": datetime(2026, 1, 1, 1, 30, tzinfo=timezone.utc),
        "order_by": "updatedAt|DESC",
    }
    listed = client.jobs.list_jobs(request=wanted).jobs_response
    assert listed
    assert [(job.job_id, job.job_type.value) for job in listed.data] == [
        (1004, "reset"),
        (1002, "sync"),
    ]
    of_kind: api.ListJobsRequestTypedDict = {**wanted, "job_type": models.JobTypeEnum.REFRESH}
    refreshes = client.jobs.list_jobs(request=of_kind).jobs_response
    assert refreshes
    assert [job.job_id for job in refreshes.data] == [1003]
    elsewhere = client.jobs.list_jobs(request={**wanted, "workspace_ids": [str(uuid.uuid4())]})
    assert elsewhere.jobs_response
    assert elsewhere.jobs_response.data == []


def test_trouble_comes_as_often_as_a_test_asks_for(shop: AirbyteDouble) -> None:
    shop.misbehave("GET .*/workspaces/", BUSY)
    client = stock(shop).get_client()
    with pytest.raises(dg.Failure):
        client.validate_workspace_id()
    client.validate_workspace_id()
    assert shop.count("GET .*/workspaces/") == 2
