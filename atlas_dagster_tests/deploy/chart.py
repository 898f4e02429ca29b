"""What Dagster's Helm chart makes of values, as far as we set them.

Written after the chart's templates `configmap-instance.yaml` and `helpers/instance/*.tpl` (commit
835892b4 of dagster-io/dagster): the chart itself, and a helm to render it, were not at hand.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]

RELEASE = "atlas"


def instance_settings(values: Mapping[str, Any]) -> Json:
    """The dagster.yaml of the webserver, the daemon, and the pods of runs."""
    monitoring = values["dagsterDaemon"]["runMonitoring"]
    postgres = {"postgres_db": _postgres(values["postgresql"])}
    logs = values["computeLogManager"]["config"]["customComputeLogManager"]
    return {
        "run_storage": _class("dagster_postgres.run_storage", "PostgresRunStorage", postgres),
        "event_log_storage": _class(
            "dagster_postgres.event_log", "PostgresEventLogStorage", postgres
        ),
        "schedule_storage": _class(
            "dagster_postgres.schedule_storage", "PostgresScheduleStorage", postgres
        ),
        "run_launcher": _class("dagster_k8s", "K8sRunLauncher", _launcher(values)),
        "compute_logs": _class(logs["module"], logs["class"], logs["config"]),
        "python_logs": {_snake(key): value for key, value in values["pythonLogs"].items()},
        "run_monitoring": {_snake(key): value for key, value in monitoring.items()},
        "retention": {
            kind: {"purge_after_days": values["retention"][kind]["purgeAfterDays"]}
            for kind in ("schedule", "sensor")
        },
        "telemetry": values["telemetry"],
        **values["additionalInstanceConfig"],
    }


def _postgres(values: Mapping[str, Any]) -> Json:
    return {
        "username": values["postgresqlUsername"],
        "password": {"env": "DAGSTER_PG_PASSWORD"},
        "hostname": values["postgresqlHost"],
        "db_name": values["postgresqlDatabase"],
        "port": values["service"]["port"],
        "params": {},
        "scheme": values["postgresqlScheme"],
    }


def _launcher(values: Mapping[str, Any]) -> Json:
    config = dict(values["runLauncher"]["config"]["k8sRunLauncher"])
    run = config.pop("runK8sConfig")
    return {
        "load_incluster_config": True,
        "job_namespace": "default",
        "service_account_name": f"{RELEASE}-dagster",
        "dagster_home": {"env": "DAGSTER_HOME"},
        "instance_config_map": {"env": "DAGSTER_K8S_INSTANCE_CONFIG_MAP"},
        "postgres_password_secret": {"env": "DAGSTER_K8S_PG_PASSWORD_SECRET"},
        "env_config_maps": [{"env": "DAGSTER_K8S_PIPELINE_RUN_ENV_CONFIGMAP"}],
        **{_snake(key): value for key, value in config.items()},
        "env_secrets": [secret["name"] for secret in config["envSecrets"]],
        "run_k8s_config": {_snake(key): value for key, value in run.items()},
    }


def _class(module: str, name: str, config: Mapping[str, Any]) -> Json:
    return {"module": module, "class": name, "config": dict(config)}


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()
