"""How runs, jobs and datasets are named: by OpenLineage's naming rules, where it has some.

https://openlineage.io/docs/spec/naming: a table of PostgreSQL is ``database.schema.table`` in the
namespace ``postgres://host:port``.
"""

from __future__ import annotations

import os
import pwd
import re
import socket
import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import psycopg
from psycopg.conninfo import conninfo_to_dict

from atlas_dagster.errors import ConfigError
from atlas_dagster.lineage.model import DatasetName

DEFAULT_NAMESPACE = "atlas"
"""The namespace of jobs where OPENLINEAGE_NAMESPACE names none."""

WAREHOUSE = "ATLAS_OPENLINEAGE_WAREHOUSE"

_RUNS = uuid.UUID("5d3f8f0e-6a0b-5a9c-9a56-0c9a3a9b8f11")
_POSTGRES_PORT = "5432"
_HOST = re.compile(r"[A-Za-z0-9_.:%-]+")
_NO_URL = "ATLAS_WAREHOUSE_URL: its host and port cannot be read; is the password escaped?"
_NAMESPACE = re.compile(r"postgres://[^/@\s]+:[0-9]+")


def run_id(*parts: str) -> str:
    """The id of the run that these name: the same again, whoever asks."""
    return str(uuid.uuid5(_RUNS, "\n".join(parts)))


def warehouse_namespace(url: str, environ: Mapping[str, str]) -> str:
    """The namespace of a warehouse's tables: ``postgres://host:port``.

    What the URL does not say is libpq's default. Of a server that is reached by a socket the host
    is this machine; of several hosts it is the first. ATLAS_OPENLINEAGE_WAREHOUSE names another:
    raises ConfigError where that is none, and where the host is that of a service.
    """
    given = environ.get(WAREHOUSE)
    if given:
        if not _NAMESPACE.fullmatch(given):
            raise ConfigError(f"{WAREHOUSE}: expected postgres://host:port, without a user")
        return given
    parts = _parts(url)
    named = parts.get("host") or parts.get("hostaddr")
    if _service(parts, environ) and not (named and parts.get("port")):
        raise ConfigError(
            f"ATLAS_WAREHOUSE_URL names a service: name its server by {WAREHOUSE}=postgres://host:port"
        )
    named = named or environ.get("PGHOST") or environ.get("PGHOSTADDR")
    host = str(named or "").split(",")[0]
    port = str(parts.get("port") or environ.get("PGPORT") or _POSTGRES_PORT).split(",")[0]
    port = port or _POSTGRES_PORT
    if not host or host.startswith(("/", "@")):
        host = socket.gethostname()
    if not (_HOST.fullmatch(host) and port.isdigit()):
        raise ConfigError(_NO_URL)  # a password that is not escaped would be in the host
    return f"postgres://{f'[{host}]' if ':' in host else host.lower()}:{port}"


def warehouse_database(url: str, environ: Mapping[str, str]) -> str:
    """The database of a warehouse; without one PostgreSQL takes the user's name.

    Raises ConfigError where it is that of a service, or nobody names one.
    """
    parts = _parts(url)
    if parts.get("dbname"):
        return str(parts["dbname"])
    if _service(parts, environ):
        raise ConfigError(
            "ATLAS_WAREHOUSE_URL names a service: name its database too, as in"
            " postgresql:///dwh?service=…"
        )
    named = environ.get("PGDATABASE") or parts.get("user") or environ.get("PGUSER")
    return str(named or _login())


def _service(parts: Mapping[str, Any], environ: Mapping[str, str]) -> bool:
    return bool(parts.get("service") or environ.get("PGSERVICE"))


def _login() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        raise ConfigError("ATLAS_WAREHOUSE_URL names neither a database nor a user") from None


def _parts(url: str) -> dict[str, Any]:
    try:
        return dict(conninfo_to_dict(url))
    except psycopg.ProgrammingError:  # it repeats what it stumbled over, which may be a password
        raise ConfigError(_NO_URL) from None


def embedded_source(package: str) -> str:
    """The namespace of what an embedded connector reads: ``airbyte://source-faker``."""
    return f"airbyte://{package.removeprefix('airbyte-')}"


def server_source(url: str) -> str:
    """The namespace of what connections of an Airbyte server read: ``airbyte://host``."""
    return f"airbyte://{urlsplit(url).hostname or 'server'}"


def foreign_destination(kind: str) -> str:
    """The namespace of what lands elsewhere than in PostgreSQL: ``airbyte://destination-s3``."""
    return f"airbyte://destination-{kind or 'unknown'}"


def stream_dataset(
    namespace: str, connection: str, stream_namespace: str | None, stream: str
) -> DatasetName:
    """A stream at its source, or at a destination that tables are not known of.

    The connection's slug stands first: two of one connector read two sources.
    """
    return DatasetName(namespace, ".".join(filter(None, (connection, stream_namespace, stream))))


def job_name(connection: str, stream: str | None, work: str) -> str:
    """``<connection>.<stream>.<work>``: what is before the first dot is DataHub's flow."""
    return ".".join(filter(None, (connection, stream, work)))
