"""Dagster's own storage, found by the settings of Atlas; `dagster.yaml` names these classes.

An instance can so be opened from the webserver, the daemon, a run worker and every command of
Dagster's, in embedded mode as well: whoever comes first starts the server.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from dagster import BetaWarning
from dagster._config.config_schema import UserConfigSchema
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager
from dagster._core.storage.root import LocalArtifactStorage
from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage
from dagster_postgres.event_log import PostgresEventLogStorage
from dagster_postgres.run_storage import PostgresRunStorage
from dagster_postgres.schedule_storage import PostgresScheduleStorage
from dagster_postgres.utils import create_pg_engine
from psycopg.rows import TupleRow
from sqlalchemy import Engine, event, inspect
from typing_extensions import Self

from atlas_dagster.errors import WarehouseError
from atlas_dagster.settings import Settings, load_settings
from atlas_dagster.warehouse import acting_role, connect, resolve_url

# `dagster.yaml` names a handler (`run_logs`), and whoever opens the instance would read of it.
warnings.filterwarnings("ignore", "Handling yaml-defined logging configuration", BetaWarning)


class _OwnSessions:
    """A storage whose sessions are ours at the webserver too, where Dagster opens others for it."""

    postgres_url: str
    _engine: Engine

    def share(self, engine: Engine) -> Self:
        """Take the sessions of an engine."""
        self._engine = engine
        return self

    def optimize_for_webserver(
        self, statement_timeout: int, pool_recycle: int, max_overflow: int
    ) -> None:
        """Keep one session, and limit each statement's time (ms) where no pooler is between."""
        self._engine = _open_engine(
            self.postgres_url,
            statement_timeout=statement_timeout,
            pool_size=1,
            max_overflow=max_overflow,
            pool_recycle=pool_recycle,
        )


class _RunStorage(_OwnSessions, PostgresRunStorage):
    pass


class _EventLogStorage(_OwnSessions, PostgresEventLogStorage):
    pass


class _ScheduleStorage(_OwnSessions, PostgresScheduleStorage):
    pass


class AtlasStorage(DagsterPostgresStorage):
    """Runs, events and schedules in ATLAS_DAGSTER_URL, else in the warehouse's database.

    Sessions act as `warehouse.acting_role` says. A process keeps its connections: Dagster's own
    storage opens one for each statement, which is a third of the CPU that a run of small steps
    costs, server included.
    """

    def __init__(self, postgres_url: str, inst_data: ConfigurableClassData | None) -> None:
        super().__init__(postgres_url, inst_data=inst_data)  # makes tables that are not there
        engine = _open_engine(
            postgres_url,
            statement_timeout=None,
            pool_size=2,  # storing an event of an asset takes a second one inside the first
            max_overflow=-1,  # threads get connections of their own, closed after use
        )
        self._run_storage = _RunStorage(postgres_url, False).share(engine)
        self._event_log_storage = _EventLogStorage(postgres_url, False).share(engine)
        self._schedule_storage = _ScheduleStorage(postgres_url, False).share(engine)

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        return {}

    @classmethod
    def from_config_value(
        cls,
        inst_data: ConfigurableClassData | None,
        config_value: Mapping[str, Any],  # noqa: ARG003
    ) -> Self:
        url = _database_url(load_settings())
        _require_usable(url)
        return cls(postgres_url=_with_driver(url), inst_data=inst_data)


def _require_usable(url: str) -> None:
    """Raise WarehouseError where Dagster could not keep its tables, in a sentence.

    Dagster itself tries again for a second, as this does, and then only says that it has.
    """
    row = _lacks_create(url, tries=5)
    if row:
        schema, role = row
        raise WarehouseError(
            f"role {role}: permission denied for schema {schema}, where Dagster's tables are to be"
            f" made; let an administrator run: atlas roles create --writer {role}"
        )


def _lacks_create(url: str, tries: int) -> TupleRow | None:
    try:
        with connect(url, application="dagster") as connection:
            return connection.execute(_LACKS_CREATE).fetchone()
    except WarehouseError:
        if tries == 1:
            raise
    time.sleep(0.2)
    return _lacks_create(url, tries - 1)


_LACKS_CREATE = """
select coalesce(current_schema(), 'public'), session_user
where to_regclass('runs') is null
    and not coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)
"""


def _open_engine(
    url: str,
    *,
    statement_timeout: int | None,
    pool_size: int,
    max_overflow: int,
    pool_recycle: int = -1,
) -> Engine:
    engine = create_pg_engine(
        url,
        isolation_level="AUTOCOMMIT",
        pool_size=pool_size,
        max_overflow=max_overflow,
        pool_recycle=pool_recycle,
        pool_pre_ping=True,  # the server may have been restarted since
        connect_args={"fallback_application_name": "dagster"},
    )
    event.listen(engine, "connect", partial(_set_up, statement_timeout))
    return engine


def _set_up(statement_timeout: int | None, session: Any, _: object) -> None:
    """Let a new session act as its group, within a time, unless a pooler hands it on to others."""
    with session.cursor() as cursor:
        cursor.execute("select pg_backend_pid()")
        if cursor.fetchone() == (session.info.backend_pid,):
            cursor.execute(acting_role(session.server_version).as_string())
            if statement_timeout is not None:
                cursor.execute(f"set statement_timeout = {statement_timeout:d}")
    session.commit()


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
    """The URL of Dagster's tables, with the driver named."""
    return _with_driver(_database_url(settings))


def _database_url(settings: Settings) -> str:
    """The URL of Dagster's tables; asking for it starts the embedded server where it is down."""
    return settings.dagster_url or resolve_url(settings)


def _with_driver(url: str) -> str:
    """SQLAlchemy 2.1 takes psycopg 3 where none is named, and dagster-postgres speaks psycopg2."""
    _, separator, rest = url.partition("://")
    return f"postgresql+psycopg2{separator}{rest}"


def has_tables(settings: Settings) -> bool:
    """Whether Dagster has made its tables; whoever opens an instance makes those that are not."""
    engine = create_pg_engine(storage_url(settings))
    try:
        names = inspect(engine).get_table_names()
    finally:
        engine.dispose()
    return {"runs", "instance_info", "event_logs", "jobs"} <= {*names}


def files_dir(settings: Settings) -> Path:
    """Where Dagster keeps its files."""
    return settings.data_dir / "dagster"
