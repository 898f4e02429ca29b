"""All definitions of this project, out of the environment and the files under ``config/``."""

from __future__ import annotations

from collections.abc import Mapping

import dagster as dg

from atlas_dagster.assets.jobs import build_schedule, job_name
from atlas_dagster.assets.layer_runs import build_layer_runs_sensor, layers_job_name
from atlas_dagster.defs.airbyte_server import build_airbyte_server
from atlas_dagster.defs.connections import BuiltConnection, build_connection
from atlas_dagster.defs.executor import in_process
from atlas_dagster.defs.openlineage import build_openlineage
from atlas_dagster.defs.project import Project, read_project
from atlas_dagster.defs.qalita import build_qalita
from atlas_dagster.defs.quality import refuse_stray_files
from atlas_dagster.defs.retention import build_retention
from atlas_dagster.rules import AtlasRules


def build_code_location() -> dg.Definitions:
    """Build everything without network, database or connector.

    Raises ConfigError naming the file, line and key that is wrong.
    """
    return build_definitions(read_project())


def build_definitions(project: Project) -> dg.Definitions:
    """Build everything of a project that has been read."""
    refuse_stray_files(project)
    built = {slug: build_connection(project, slug) for slug in project.connections}
    layer_jobs = [
        job for slug, each in built.items() if (job := each.jobs.get(layers_job_name(slug)))
    ]
    return dg.Definitions.merge(
        dg.Definitions(
            assets=[asset for each in built.values() for asset in each.assets],
            asset_checks=[checks for each in built.values() for checks in each.checks],
            jobs=[job for each in built.values() for job in each.jobs.values()],
            schedules=_schedules(built, project.rules),
            sensors=[build_layer_runs_sensor(layer_jobs)] if layer_jobs else [],
            resources=project.resources,
            executor=in_process,
        ),
        build_airbyte_server(project, layer_jobs),
        build_retention(project.rules),
        build_qalita(project),
        build_openlineage(project),
    )


def _schedules(
    built: Mapping[str, BuiltConnection], rules: AtlasRules
) -> list[dg.ScheduleDefinition]:
    """A schedule of each connection that has a cron and can be synced."""
    return [
        build_schedule(slug, job, chosen.cron, chosen.timezone)
        for slug, each in built.items()
        if (chosen := rules.connection(slug)).cron and (job := each.jobs.get(job_name(slug)))
    ]
