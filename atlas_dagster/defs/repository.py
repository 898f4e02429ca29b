"""The repository that Dagster loads: all definitions where they are shown, few where a job runs."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import cached_property

import dagster as dg
from dagster._core.definitions.assets.job.asset_job import IMPLICIT_ASSET_JOB_NAME
from dagster._core.definitions.repository_definition import SINGLETON_REPOSITORY_NAME
from dagster._core.definitions.repository_definition.repository_data import RepositoryData
from dagster_shared.utils.warnings import disable_dagster_warnings

from atlas_dagster.assets.jobs import connection_job_names
from atlas_dagster.collector import collector_paused
from atlas_dagster.defs.code_location import build_definitions
from atlas_dagster.defs.connections import define_connections
from atlas_dagster.defs.project import Project, read_project


def build_repository() -> AtlasRepository:
    """Read the project; what it defines is built when Dagster asks for it.

    Raises ConfigError naming the file, line and key that is wrong.
    """
    with disable_dagster_warnings():
        return AtlasRepository(Definer(read_project()))


class Definer(RepositoryData):
    """Defines everything, or some connections, of a project."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._connections_by_job = {
            name: slug for slug in project.connections for name in connection_job_names(slug)
        }

    @cached_property
    def everything(self) -> dg.RepositoryDefinition:
        """All definitions, each job resolved: what stays is never looked at for garbage."""
        with disable_dagster_warnings(), collector_paused():
            repository = build_definitions(self._project).get_repository_def()
            repository.load_all_definitions()
            gc.freeze()
        return repository

    def defining(self, job_name: str, keys: Iterable[dg.AssetKey]) -> dg.RepositoryDefinition:
        """A repository that has the job, with the assets of ``keys`` at least."""
        slugs = self._connections(job_name, keys)
        if "everything" in vars(self) or not slugs <= self._project.connections.keys():
            return self.everything
        with disable_dagster_warnings():
            return define_connections(self._project, sorted(slugs)).get_repository_def()

    def _connections(self, job_name: str, keys: Iterable[dg.AssetKey]) -> set[str]:
        """The connections that a job is about; an empty name stands for what is of none."""
        if job_name != IMPLICIT_ASSET_JOB_NAME:
            return {self._connections_by_job.get(job_name, "")}
        return {key.path[1] if len(key.path) == 3 else "" for key in keys} or {""}

    def get_job(self, job_name: str) -> dg.JobDefinition:
        return self.defining(job_name, ()).get_job(job_name)

    def get_job_names(self) -> Sequence[str]:
        return self.everything.job_names

    def get_all_jobs(self) -> Sequence[dg.JobDefinition]:
        return self.everything.get_all_jobs()

    def get_all_schedules(self) -> Sequence[dg.ScheduleDefinition]:
        return self.everything.schedule_defs

    def get_all_sensors(self) -> Sequence[dg.SensorDefinition]:
        return self.everything.sensor_defs

    def get_source_assets_by_key(self) -> Mapping[dg.AssetKey, dg.SourceAsset]:
        return self.everything.source_assets_by_key

    def get_assets_defs_by_key(self) -> Mapping[dg.AssetKey, dg.AssetsDefinition]:
        return self.everything.assets_defs_by_key

    def get_asset_checks_defs_by_key(
        self,
    ) -> Mapping[dg.AssetCheckKey, dg.AssetChecksDefinition]:
        return self.everything.asset_checks_defs_by_key

    def get_top_level_resources(self) -> Mapping[str, dg.ResourceDefinition]:
        return self.everything.get_top_level_resources()

    def get_env_vars_by_top_level_resource(self) -> Mapping[str, AbstractSet[str]]:
        return self.everything.get_env_vars_by_top_level_resource()


class AtlasRepository(dg.RepositoryDefinition):
    """A run worker asks for the job of its run, and only the connections of that job are built."""

    def __init__(self, definer: Definer) -> None:
        super().__init__(SINGLETON_REPOSITORY_NAME, repository_data=definer)
        self._definer = definer

    def get_maybe_subset_job_def(
        self,
        job_name: str,
        op_selection: Iterable[str] | None = None,
        asset_selection: AbstractSet[dg.AssetKey] | None = None,
        asset_check_selection: AbstractSet[dg.AssetCheckKey] | None = None,
    ) -> dg.JobDefinition:
        """The job with what is selected of it."""
        keys = {*(asset_selection or ()), *(c.asset_key for c in asset_check_selection or ())}
        return (
            self._definer.defining(job_name, keys)
            .get_job(job_name)
            .get_subset(
                op_selection=op_selection,
                asset_selection=asset_selection,
                asset_check_selection=asset_check_selection,
            )
        )
