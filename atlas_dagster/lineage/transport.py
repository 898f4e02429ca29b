"""The OpenLineage client as its own configuration says, made safe for a sensor's tick.

It is configured by OPENLINEAGE_URL, OPENLINEAGE_CONFIG or openlineage.yml, and variables that begin
with OPENLINEAGE__TRANSPORT; OPENLINEAGE_DISABLED turns it off. What the user says stands; where
nothing is said of it, its defaults would not do:

- HTTP tries an event six times with 5 s each, and sleeps as long as a Retry-After says: longer than
  a tick may take. Here it tries twice, and does not sleep for others.
- Several transports at once count an event as sent when one has taken it. Here all have to.
- `async_http` takes events, and sends them later: nobody would know what was lost. Here it is
  `http`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from atlas_dagster.errors import ConfigError
from atlas_dagster.plain_text import without_values

if TYPE_CHECKING:
    from openlineage.client import OpenLineageClient

URL, CONFIG, DISABLED = "OPENLINEAGE_URL", "OPENLINEAGE_CONFIG", "OPENLINEAGE_DISABLED"
NAMESPACE = "OPENLINEAGE_NAMESPACE"
_TRANSPORT = ("OPENLINEAGE__TRANSPORT", "OPENLINEAGE__TRANSPORT__TYPE")
_FILE = "openlineage.yml"
_INNER = "transport: transports"

TIMEOUT_SECONDS = 5.0
RETRIES: Mapping[str, Any] = {
    "total": 1,
    "connect": 1,
    "read": 1,
    "backoff_factor": 0.5,
    "respect_retry_after_header": False,
    "raise_on_status": False,
}


def is_configured(environ: Mapping[str, str] | None = None) -> bool:
    """Whether the environment, or a file where the client looks for one, names a transport."""
    env = os.environ if environ is None else environ
    if env.get(DISABLED, "").lower().strip() == "true":
        return False
    named = any(env.get(name) for name in (URL, CONFIG, *_TRANSPORT))
    return named or any(file.is_file() for file in _files())


def open_client() -> OpenLineageClient:
    """The client; raises ConfigError naming what is wrong in its configuration."""
    file = os.environ.get(CONFIG)
    if file and not os.access(file, os.R_OK):
        raise ConfigError(f"{CONFIG}: there is no file {file}, or it cannot be read")
    _check_file()
    try:
        return _client()
    except (ImportError, KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:
        told = without_values(str(error.args[0])) if error.args else type(error).__name__
        raise ConfigError(f"OpenLineage's transport cannot be made: {told}") from None


def _client() -> OpenLineageClient:
    from openlineage.client import OpenLineageClient
    from openlineage.client.transport import get_default_factory
    from openlineage.client.transport.noop import NoopConfig, NoopTransport

    before = set(os.environ)
    client = OpenLineageClient(transport=NoopTransport(NoopConfig()))
    transport = _mapping(client.config.transport or {}, "transport")
    for name in os.environ.keys() - before:  # aliases of its own
        del os.environ[name]
    client.transport = get_default_factory().create(
        safe_transport(transport if transport.get("type") else _by_url())
    )
    return client


def _check_file() -> None:
    """Raise ConfigError where the client would read its file as if nothing were in it."""
    import yaml

    named = os.environ.get(CONFIG)
    files = (*((Path(named),) if named else ()), *_files())
    file = next((file for file in files if file.is_file()), None)
    if file is None:
        return
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except yaml.MarkedYAMLError as error:  # it shows the line, and there may be a key in it
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ConfigError(f"{file}{line}: this is not YAML") from None
    except (OSError, UnicodeError, yaml.YAMLError):
        raise ConfigError(f"{file}: it cannot be read as YAML") from None
    content = _mapping(content or {}, str(file))
    _mapping(content.get("transport") or {}, f"{file}: transport")


def _mapping(value: Any, where: str) -> dict[str, Any]:
    """A value as the mapping that it has to be; raises ConfigError where it is none."""
    if not isinstance(value, dict):
        raise ConfigError(f"{where}: expected a mapping; see docs/lineage.md")
    return cast("dict[str, Any]", value)


def _by_url() -> dict[str, Any]:
    """The transport of the variables that the client had before it had others."""
    url = os.environ.get(URL)
    if not url:
        raise ConfigError(f"no transport is set: {URL} names the backend, see docs/lineage.md")
    config: dict[str, Any] = {"type": "http", "url": url}
    if endpoint := os.environ.get("OPENLINEAGE_ENDPOINT"):
        config["endpoint"] = endpoint
    if key := os.environ.get("OPENLINEAGE_API_KEY"):
        config["auth"] = {"type": "api_key", "apiKey": key}
    return config


def safe_transport(config: Mapping[str, Any]) -> dict[str, Any]:
    """A transport's configuration with what a sensor needs, where the user says nothing of it."""
    kind = config.get("type")
    if kind in ("http", "async_http"):
        told = cast("dict[str, Any]", config.get("retry") or {})
        timeout = config.get("timeout", TIMEOUT_SECONDS)
        return {**config, "type": "http", "timeout": timeout, "retry": {**RETRIES, **told}}
    if kind == "composite" and config.get("transports"):
        several = config["transports"]
        inner = (
            [safe_transport(_mapping(one, _INNER)) for one in cast("list[Any]", several)]
            if isinstance(several, list)
            else {
                name: safe_transport(_mapping(one, f"{_INNER}: {name}"))
                for name, one in _mapping(several, _INNER).items()
                if one
            }
        )
        return {"continue_on_failure": False, **config, "transports": inner}
    if kind == "transform" and isinstance(inside := config.get("transport"), Mapping):
        return {**config, "transport": safe_transport(cast("dict[str, Any]", inside))}
    return dict(config)


def _files() -> tuple[Path, ...]:
    # Where nobody knows a home, this one leaves the `~` as it is; Path raises.
    home = os.path.expanduser("~/.openlineage")  # noqa: PTH111
    return Path.cwd() / _FILE, Path(home) / _FILE
