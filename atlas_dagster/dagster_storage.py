"""Dagster's own storage, found by the settings of Atlas; `dagster.yaml` names these classes.

An instance can so be opened from the webserver, the daemon, a run worker and every command of
Dagster's, in embedded mode as well: whoever comes first starts the server.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dagster._config.config_schema import UserConfigSchema
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager
from dagster._core.storage.root import LocalArtifactStorage
from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage
from typing_extensions import Self

from atlas_dagster.settings import Settings, load_settings
from atlas_dagster.warehouse import resolve_url


class AtlasStorage(DagsterPostgresStorage):
    """Runs, events and schedules in ATLAS_DAGSTER_URL, else in the warehouse's database."""

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        return {}

    @classmethod
    def from_config_value(
        cls,
        inst_data: ConfigurableClassData | None,
        config_value: Mapping[str, Any],  # noqa: ARG003
    ) -> Self:
        return cls(postgres_url=storage_url(load_settings()), inst_data=inst_data)


class AtlasArtifactStorage(LocalArtifactStorage):
    """Files of runs, in the data directory."""

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        return {}

    @classmethod
    def from_config_value(
        cls,
        inst_data: ConfigurableClassData | None,
        config_value: Mapping[str, Any],  # noqa: ARG003
    ) -> Self:
        return cls(base_dir=str(files_dir(load_settings())), inst_data=inst_data)


class AtlasComputeLogs(LocalComputeLogManager):
    """What steps write to stdout and stderr, in the data directory."""

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        return {}

    @classmethod
    def from_config_value(
        cls,
        inst_data: ConfigurableClassData | None,
        config_value: Mapping[str, Any],  # noqa: ARG003
    ) -> Self:
        return cls(base_dir=str(files_dir(load_settings()) / "logs"), inst_data=inst_data)


def storage_url(settings: Settings) -> str:
    """The URL of Dagster's tables, with the driver named.

    SQLAlchemy 2.1 takes psycopg 3 for a bare ``postgresql://``, and dagster-postgres speaks
    psycopg2 only.
    """
    _, separator, rest = (settings.dagster_url or resolve_url(settings)).partition("://")
    return f"postgresql+psycopg2{separator}{rest}"


def files_dir(settings: Settings) -> Path:
    """Where Dagster keeps its files."""
    return settings.data_dir / "dagster"
