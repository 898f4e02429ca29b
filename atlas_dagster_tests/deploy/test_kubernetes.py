"""deploy/kubernetes/values.yaml: what Dagster's chart is told, and the job of a run it leads to.

No cluster and no helm took part: `chart.py` and `chart_values.yaml` say what they come from.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import kubernetes.config.incluster_config as in_cluster
import pytest
from click.testing import CliRunner
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.launcher import LaunchRunContext
from dagster._core.origin import (
    DEFAULT_DAGSTER_ENTRY_POINT,
    JobPythonOrigin,
    RepositoryPythonOrigin,
)
from dagster_k8s import K8sRunLauncher
from kubernetes.client import ApiClient, V1Job
from psycopg.conninfo import conninfo_to_dict
from ruamel.yaml import YAML

from atlas_dagster.cli import atlas
from atlas_dagster.settings import load_webhook_settings
from atlas_dagster_tests.deploy import chart
from atlas_dagster_tests.integration.project import MODULE, REPOSITORY

VALUES = REPOSITORY / "deploy" / "kubernetes" / "values.yaml"
IMAGE = "registry.example.com/atlas-dagster:0.1.0"

Json = dict[str, Any]


def read(file: Path) -> Json:
    return YAML(typ="safe").load(file.read_text())


@pytest.fixture
def values() -> Json:
    return read(VALUES)


def unknown_keys(ours: object, known: object, path: str = "") -> Iterator[str]:
    """The keys of ours that the chart does not document."""
    if isinstance(ours, list):
        for each in ours:
            yield from unknown_keys(each, known, path)
    elif isinstance(ours, Mapping) and known and not isinstance(known, str):
        assert isinstance(known, Mapping)
        for key, value in ours.items():
            if key in known:
                yield from unknown_keys(value, known[key], f"{path}.{key}")
            else:
                yield f"{path}.{key}"


def test_the_chart_documents_every_key_that_we_set(values: Json) -> None:
    known = read(Path(__file__).with_name("chart_values.yaml"))
    assert list(unknown_keys(values, known)) == []
    assert list(unknown_keys({"dagsterDaemon": {"iamge": {}}}, known)) == [".dagsterDaemon.iamge"]


def test_webserver_daemon_code_location_and_jobs_run_one_image(values: Json) -> None:
    image = values["dagsterWebserver"]["image"]
    assert f"{image['repository']}:{image['tag']}" == IMAGE
    assert values["dagsterDaemon"]["image"] == image
    assert values["dagster-user-deployments"]["deployments"][0]["image"] == image
    assert {container["image"] for container in containers(values)} == {IMAGE}


def test_what_else_the_instance_is_told_is_as_in_dagster_yaml(values: Json) -> None:
    ours, general = chart.instance_settings(values), read(REPOSITORY / "dagster.yaml")
    for key in ("python_logs", "run_monitoring", "retention", "telemetry"):
        assert ours[key] == general[key]
    assert ours["concurrency"]["pools"] == general["concurrency"]["pools"]


def test_nothing_secret_stands_in_the_values(values: Json) -> None:
    assert "postgresqlPassword" not in values["postgresql"]


def test_the_migration_and_the_receiver_are_told_the_secrets_that_they_need_alone(
    values: Json, empty_database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = {"ATLAS_WAREHOUSE_URL": empty_database_url, "ATLAS_WEBHOOK_TOKEN": "t" * 16}
    told = {container["name"]: environment(container, secret) for container in containers(values)}
    assert told == {
        "migrate": {"ATLAS_WAREHOUSE_URL": empty_database_url},
        "webhook": {**secret, "ATLAS_WEBHOOK_HOST": "0.0.0.0"},
    }
    assert load_webhook_settings(told["webhook"]).token == "t" * 16
    for name in [name for name in os.environ if name.startswith(("ATLAS_", "AIRBYTE_"))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    migrated = CliRunner().invoke(atlas, ["migrate"], env=told["migrate"], catch_exceptions=False)
    assert migrated.output.endswith("the warehouse is up to date\n")


def environment(container: Json, secret: Mapping[str, str]) -> dict[str, str]:
    """The variables of a container, by what the Secret `atlas` holds; all that it is told."""
    assert "envFrom" not in container
    told: dict[str, str] = {}
    for variable in container["env"]:
        if "valueFrom" in variable:
            [(kind, reference)] = variable["valueFrom"].items()
            assert (kind, reference["name"]) == ("secretKeyRef", "atlas")
            told[variable["name"]] = secret[reference["key"]]
        else:
            told[variable["name"]] = variable["value"]
    return told


def test_all_pods_keep_their_files_on_the_volume_that_all_can_write(values: Json) -> None:
    claim = next(m for m in values["extraManifests"] if m["kind"] == "PersistentVolumeClaim")
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    name = claim["metadata"]["name"]
    for pod in (
        values["dagsterWebserver"],
        values["dagsterDaemon"],
        values["dagster-user-deployments"]["deployments"][0],
        values["runLauncher"]["config"]["k8sRunLauncher"],
    ):
        [volume], [mount] = pod["volumes"], pod["volumeMounts"]
        assert volume["persistentVolumeClaim"] == {"claimName": name}
        assert mount == {"name": volume["name"], "mountPath": "/data"}


class Batch:
    """The part of Kubernetes' API that creates jobs: it keeps what it is sent."""

    def __init__(self) -> None:
        self.jobs: list[V1Job] = []

    def create_namespaced_job(self, body: V1Job, namespace: str, **_: object) -> None:
        self.jobs.append(body)


@pytest.fixture
def in_a_pod(
    tmp_path: Path, warehouse_url: str, values: Json, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """DAGSTER_HOME as the chart mounts it, in a process that takes itself for a pod."""
    server = conninfo_to_dict(warehouse_url)
    settings = chart.instance_settings(values)
    for storage in ("run_storage", "event_log_storage", "schedule_storage"):
        settings[storage]["config"]["postgres_db"] |= {
            "username": server["user"],
            "hostname": "",
            "db_name": server["dbname"],
            "params": {"host": server["host"]},
        }
    (tmp_path / "dagster.yaml").write_text(json.dumps(settings))
    for file in ("SERVICE_TOKEN_FILENAME", "SERVICE_CERT_FILENAME"):
        (tmp_path / file).write_text("given")
        monkeypatch.setattr(in_cluster, file, str(tmp_path / file))
    variables = {
        "KUBERNETES_SERVICE_HOST": "127.0.0.1",
        "KUBERNETES_SERVICE_PORT": "443",
        "DAGSTER_HOME": str(tmp_path),
        "DAGSTER_PG_PASSWORD": conninfo_to_dict(warehouse_url).get("password") or "none",
        "DAGSTER_K8S_INSTANCE_CONFIG_MAP": "atlas-dagster-instance",
        "DAGSTER_K8S_PG_PASSWORD_SECRET": values["global"]["postgresqlSecretName"],
        "DAGSTER_K8S_PIPELINE_RUN_ENV_CONFIGMAP": "atlas-dagster-pipeline-env",
        "ATLAS_DATA_DIR": str(tmp_path / "data"),
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return tmp_path


def sanitized(job: V1Job) -> Json:
    """A job as it is sent to Kubernetes."""
    sent = ApiClient().sanitize_for_serialization(job)
    assert isinstance(sent, dict)
    return sent


def test_a_run_becomes_a_job_of_the_image_with_secrets_and_volume(in_a_pod: Path) -> None:
    batch = Batch()
    with dg.DagsterInstance.from_config(str(in_a_pod)) as instance:
        launcher = instance.run_launcher
        assert isinstance(launcher, K8sRunLauncher)
        launcher._api_client.batch_api = batch
        launcher.launch_run(LaunchRunContext(create_run(instance), None))
    [job] = batch.jobs
    sent = sanitized(job)
    assert sent["spec"]["ttlSecondsAfterFinished"] == 86400
    pod = sent["spec"]["template"]["spec"]
    assert pod["securityContext"] == {"runAsNonRoot": True, "runAsUser": 10001, "fsGroup": 10001}
    [container] = pod["containers"]
    assert container["image"] == IMAGE
    assert container["args"][:3] == ["dagster", "api", "execute_run"]
    assert {"secretRef": {"name": "atlas"}} in container["envFrom"]
    assert {"name": "atlas-data", "mountPath": "/data"} in container["volumeMounts"]
    assert container["resources"]["limits"] == {"memory": "4Gi"}
    assert container["securityContext"]["allowPrivilegeEscalation"] is False


@dg.op
def nothing() -> None:
    pass


@dg.job
def idle() -> None:
    nothing()


def create_run(instance: dg.DagsterInstance) -> dg.DagsterRun:
    origin = RepositoryPythonOrigin(
        executable_path="/opt/atlas/bin/python",
        code_pointer=ModuleCodePointer(MODULE, "defs", "/app"),
        container_image=IMAGE,
        entry_point=DEFAULT_DAGSTER_ENTRY_POINT,
    )
    return instance.create_run_for_job(idle, job_code_origin=JobPythonOrigin("idle", origin))


def containers(values: Json) -> Iterator[Json]:
    """The containers of the manifests that we bring along."""
    for manifest in values["extraManifests"]:
        template = manifest["spec"].get("template", {})
        yield from template.get("spec", {}).get("containers", [])
