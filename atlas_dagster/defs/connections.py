"""Connections: their assets, checks and jobs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import dagster as dg

from atlas_dagster.assets.chart import build_chart_asset
from atlas_dagster.assets.explore import build_explore_asset
from atlas_dagster.assets.jobs import define_connection_jobs
from atlas_dagster.assets.navigate import build_navigate_asset
from atlas_dagster.assets.pii import build_pii_asset
from atlas_dagster.assets.sync import build_sync_assets
from atlas_dagster.defs.executor import in_process
from atlas_dagster.defs.project import Project
from atlas_dagster.defs.quality import build_connection_checks

Asset: TypeAlias = "dg.AssetsDefinition | dg.AssetSpec"


@dataclass(frozen=True)
class BuiltConnection:
    """The assets and checks of a connection, and its jobs by name as Dagster has resolved them."""

    assets: Sequence[Asset]
    checks: Sequence[dg.AssetChecksDefinition]
    jobs: Mapping[str, dg.JobDefinition]


def define_connections(project: Project, slugs: Collection[str]) -> dg.Definitions:
    """The assets, checks and jobs of some connections: all that a run of them needs."""
    assets = [asset for slug in slugs for asset in _connection_assets(project, slug)]
    checks = [check for slug in slugs for check in build_connection_checks(project, slug)]
    return _define(project, slugs, assets, checks)


def build_connection(project: Project, slug: str) -> BuiltConnection:
    """One connection, its jobs resolved among its own assets.

    Dagster searches all assets that it is given for those of a job, which adds up over many.
    """
    assets, checks = _connection_assets(project, slug), build_connection_checks(project, slug)
    defined = _define(project, [slug], assets, checks)
    names = [job.name for job in defined.jobs or ()]
    return BuiltConnection(assets, checks, {name: defined.resolve_job_def(name) for name in names})


def _define(
    project: Project,
    slugs: Collection[str],
    assets: Sequence[Asset],
    checks: Sequence[dg.AssetChecksDefinition],
) -> dg.Definitions:
    return dg.Definitions(
        assets=assets,
        asset_checks=checks,
        jobs=[job for slug in slugs for job in define_connection_jobs(project.connections[slug])],
        resources=project.resources,
        executor=in_process,
    )


def _connection_assets(project: Project, slug: str) -> list[Asset]:
    """What lands, and the layers of it; what cannot be synced is shown, and its layers built."""
    connection = project.connections[slug]
    owners = project.rules.connection(slug).owners
    specs = project.specs(slug)
    assets: list[Asset] = (
        [build_sync_assets(connection, specs, owners)]
        if connection.is_active
        else [spec.replace_attributes(owners=list(owners)) for spec in specs]
    )
    for stream in connection.streams if connection.has_layers else ():
        rules = project.rules.stream(slug, stream.slug)
        assets += [
            build_explore_asset(stream, rules, owners),
            build_pii_asset(stream, rules, owners),
            build_chart_asset(stream, rules, owners),
            build_navigate_asset(stream, rules, owners),
        ]
    return assets
