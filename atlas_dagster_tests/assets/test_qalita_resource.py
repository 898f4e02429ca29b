"""The resource `qalita`: by the environment or by its fields, and no network before it is used."""

from __future__ import annotations

import os
from pathlib import Path

import dagster as dg
import pytest

from atlas_dagster.assets.qalita_resource import QalitaResource
from atlas_dagster.defs.code_location import build_code_location
from atlas_dagster.errors import ConfigError
from atlas_dagster_tests.integration.project import Project
from atlas_dagster_tests.qalita_server.double import API_TOKEN, PASSWORD, USER, QalitaDouble


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if "QALITA" in name:
            monkeypatch.delenv(name)


def version(resource: QalitaResource) -> str:
    @dg.op
    def ask(qalita: QalitaResource) -> str:
        with qalita.connect() as api:
            assert api.sources() == []
            return api.version()

    @dg.job(resource_defs={"qalita": resource})
    def job() -> None:
        ask()

    with dg.DagsterInstance.ephemeral() as instance:
        return job.execute_in_process(instance=instance).output_for_node("ask")


def test_the_environment_names_the_platform(
    qalita_server: QalitaDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    resource = QalitaResource()
    monkeypatch.setenv("QALITA_WORKER_ENDPOINT", f"{qalita_server.url}/api/v1")
    monkeypatch.setenv("QALITA_WORKER_TOKEN", API_TOKEN)
    assert version(resource) == "3.2.1"


def test_fields_name_it_whatever_the_environment_says(
    qalita_server: QalitaDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QALITA_BASE_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("QALITA_API_TOKEN", "another")
    resource = QalitaResource(base_url=qalita_server.url, user=USER, password=PASSWORD)
    assert version(resource) == "3.2.1"
    assert qalita_server.count("POST /api/v1/auth/signin") == 1


def test_fields_take_the_place_of_what_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("QALITA_BASE_URL", "https://qalita.example.com")
    monkeypatch.setenv("QALITA_API_TOKEN", "a-token")
    server = QalitaResource(verify=False, ca_bundle=str(tmp_path), upload_seconds=7).server()
    assert (server.verifies, server.ca_bundle, server.upload_seconds) == (False, tmp_path, 7)
    assert (server.token, server.request_seconds) == ("a-token", 30.0)


def test_what_is_not_set_is_named_when_it_is_needed() -> None:
    resource = QalitaResource()
    with pytest.raises(ConfigError, match="QALITA_BASE_URL"):
        resource.server()
    with pytest.raises(ConfigError, match="QALITA_API_TOKEN: not set"):
        QalitaResource(base_url="http://127.0.0.1:1").server()


def test_the_code_location_has_it_without_a_platform(project: Project) -> None:
    project.connect({})
    resources = build_code_location().get_repository_def().get_top_level_resources()
    assert {"qalita", "warehouse", "airbyte"} <= set(resources)
