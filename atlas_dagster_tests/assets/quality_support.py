"""What the tests of the quality checks share: a shop, runs of it, and what its checks said."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import dagster as dg

from atlas_dagster.airbyte.connectors import catalog_file
from atlas_dagster.config import load_connections
from atlas_dagster.defs.code_location import build_code_location
from atlas_dagster.settings import load_settings
from atlas_dagster_tests.airbyte.scripted import Json, record, table
from atlas_dagster_tests.integration.project import (
    Project,
    ScriptedConnector,
    connection,
    day,
    noon,
)

PEOPLE = table(
    "people",
    {
        "id": {"type": "integer"},
        "email": {"type": ["null", "string"], "format": "email"},
        "age": {"type": ["null", "integer"], "minimum": 0},
        "city": {"type": ["null", "string"]},
    },
)
CHART = dg.AssetKey(["chart", "shop", "people"])
NAVIGATE = dg.AssetKey(["navigate", "shop", "people"])


def with_streams(project: Project, *streams: Json, **rules: Any) -> ScriptedConnector:
    """A connection `shop` whose streams are known already, as after a first sync."""
    project.connect({"shop": connection("shop", [s["name"] for s in streams])}, **rules)
    settings = load_settings()
    (embedded,) = load_connections(settings)
    file = catalog_file(embedded, settings.data_dir)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"key": "", "at": 0.0, "catalog": {"streams": streams}}))
    return project.install("shop", *streams)


def person(number: int, on: str | None = None, **more: Any) -> Json:
    """A record, of today unless it says of which day."""
    fields = {"email": f"p{number}@example.com", "age": number, "city": "Oslo", **more}
    return record("people", {"id": number, **fields}, at=noon(on or day()))


def run(
    instance: dg.DagsterInstance,
    job: str = "shop",
    partition: str | None = "today",
    *assets: dg.AssetKey,
    **tags: str,
) -> dg.ExecuteInProcessResult:
    """A run of a job, or of some assets of it, with their checks."""
    return (
        build_code_location()
        .resolve_job_def(job)
        .execute_in_process(
            instance=instance,
            partition_key=day() if partition == "today" else partition,
            asset_selection=list(assets) or None,
            tags={name.replace("__", "/"): value for name, value in tags.items()},
            raise_on_error=False,
        )
    )


def run_without_checks(instance: dg.DagsterInstance, *layers: str) -> dg.ExecuteInProcessResult:
    """A run of some layers that makes no checks of quality, as if it were killed before them."""
    keys = {dg.AssetKey([layer, "shop", "people"]) for layer in layers}
    job = build_code_location().resolve_job_def("shop")
    assets = (job.asset_layer.get(key).assets_def for key in keys)
    own_checks = {check for asset in assets for check in asset.check_keys}
    subset = job.get_subset(asset_selection=keys, asset_check_selection=own_checks)
    return subset.execute_in_process(instance=instance, partition_key=day(), raise_on_error=False)


def run_checks(
    instance: dg.DagsterInstance, *names: str, asset: dg.AssetKey = CHART, **tags: str
) -> dg.ExecuteInProcessResult:
    """A run of single checks, as the UI starts it."""
    keys = {dg.AssetCheckKey(asset, name) for name in names}
    job = build_code_location().resolve_implicit_global_asset_job_def()
    return job.get_subset(asset_selection=set(), asset_check_selection=keys).execute_in_process(
        instance=instance,
        tags={name.replace("__", "/"): value for name, value in tags.items()},
        raise_on_error=False,
    )


def checks(
    result: dg.ExecuteInProcessResult, asset: dg.AssetKey = CHART
) -> dict[str, dg.AssetCheckEvaluation]:
    """What the checks of an asset said, by their names."""
    found = [e for e in result.get_asset_check_evaluations() if e.asset_key == asset]
    return {evaluation.check_name: evaluation for evaluation in found}


def told(evaluation: dg.AssetCheckEvaluation) -> dict[str, Any]:
    return {name: value.value for name, value in evaluation.metadata.items()}


def verdicts(evaluations: Mapping[str, dg.AssetCheckEvaluation]) -> dict[str, str]:
    """`pass`, `WARN` or `ERROR`, by check."""
    return {
        name: "pass" if evaluation.passed else evaluation.severity.value
        for name, evaluation in evaluations.items()
    }


def steps(result: dg.ExecuteInProcessResult) -> list[str]:
    """The steps that were run, in order."""
    return [
        str(event.step_key)
        for event in result.all_events
        if event.event_type is dg.DagsterEventType.STEP_START
    ]


def write_checks(project: Project, text: str, stream: str = "people") -> None:
    """What the user says of a stream's checks."""
    path = project.root / "config" / "checks" / "shop" / f"{stream}.yml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
