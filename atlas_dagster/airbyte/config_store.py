"""The configuration a connector is started with: placeholders read, checked, kept up to date."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast
from urllib.parse import quote

from atlas_dagster.airbyte import config_schema
from atlas_dagster.airbyte.config_schema import Schema
from atlas_dagster.airbyte.process import write_private
from atlas_dagster.config import EmbeddedConnection, JsonValue
from atlas_dagster.errors import ConfigError

_PLACEHOLDER = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")
_PLAIN_VALUE = re.compile(r"-?\d{1,6}|true|false|null")  # a count or a switch hides nothing
_SHORTEST_SECRET = 3  # characters; masking anything shorter would mangle every log line

ConfigObject = dict[str, JsonValue]


@dataclass(frozen=True)
class ResolvedConfig:
    """A configuration with its secrets in clear: for the connector's eyes only.

    ``origin`` is the digest of what the file and the environment say, whatever the connector has
    changed since; ``secrets`` are the texts that must not show in any log.
    """

    values: ConfigObject
    origin: str
    secrets: frozenset[str]

    def __repr__(self) -> str:
        return f"ResolvedConfig(origin={self.origin[:8]})"


def resolve(
    connection: EmbeddedConnection,
    spec: Schema,
    data_dir: Path,
    environ: Mapping[str, str] | None = None,
) -> ResolvedConfig:
    """Read the placeholders and check the result against the connector's spec.

    What the connector itself saved since (a refreshed token) is used until the file or the
    environment says something else. Raises ConfigError naming connection, key, and variable.
    """
    reader = _Placeholders(connection, spec, os.environ if environ is None else environ)
    values = cast("ConfigObject", reader.read(dict(connection.config), ()))
    origin = digest(values)
    saved = _saved(_file(data_dir, connection), origin)
    problem = config_schema.problem(values, spec, "config")
    if problem:
        raise ConfigError(f"{connection.file}: connection {connection.slug}: {problem}")
    current = values if saved is None else saved
    hidden = {*reader.secrets, *config_schema.secrets(values, spec)}
    hidden.update(config_schema.secrets(current, spec))
    return ResolvedConfig(current, origin, frozenset(hidden))


def refuse_unset(connection: EmbeddedConnection, environ: Mapping[str, str] | None = None) -> None:
    """Raise ConfigError naming connection, key, and the first variable that is not set."""
    reader = _Placeholders(connection, {}, os.environ if environ is None else environ)
    reader.read(dict(connection.config), ())


def save_update(
    connection: EmbeddedConnection,
    config: ResolvedConfig,
    update: bytes,
    spec: Schema,
    data_dir: Path,
) -> ResolvedConfig:
    """Keep a configuration that the connector sent (CONTROL CONNECTOR_CONFIG), durably.

    Raises ConfigError where it does not fit the connector's own spec.
    """
    sent = json.loads(update)
    if not isinstance(sent, dict):
        raise ConfigError(f"connection {connection.slug}: the connector sent a config of no object")
    values = {k: v for k, v in cast("ConfigObject", sent).items() if not k.startswith("__")}
    problem = config_schema.problem(values, spec, "config")
    if problem:
        raise ConfigError(f"connection {connection.slug}: the connector changed it to: {problem}")
    content = json.dumps({"origin": config.origin, "config": values}).encode()
    write_private(_file(data_dir, connection), content)
    hidden = config.secrets | frozenset(config_schema.secrets(values, spec))
    return ResolvedConfig(values, config.origin, hidden)


def digest(values: Mapping[str, JsonValue]) -> str:
    """SHA-256 of a configuration in a canonical form."""
    canonical = json.dumps(values, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


class Scrubber:
    """Replaces secrets in text by ``****``."""

    def __init__(self) -> None:
        self._pattern: re.Pattern[str] | None = None

    def hide(self, secrets: frozenset[str]) -> None:
        """Hide these texts from now on, as they are and as JSON and URLs spell them."""
        forms = {form for secret in secrets for form in _spellings(secret)}
        ordered = sorted(forms, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, ordered))) if ordered else None

    def __call__(self, text: str) -> str:
        return self._pattern.sub("****", text) if self._pattern else text


class _Placeholders:
    """Reads ``${NAME}`` and ``${NAME:-default}``; remembers what it read as secret."""

    def __init__(
        self, connection: EmbeddedConnection, spec: Schema, environ: Mapping[str, str]
    ) -> None:
        self._connection = connection
        self._spec = spec
        self._environ = environ
        self.secrets: set[str] = set()

    def read(self, value: JsonValue, path: tuple[str, ...]) -> JsonValue:
        if isinstance(value, dict):
            return {name: self.read(item, (*path, name)) for name, item in value.items()}
        if isinstance(value, list):
            return [self.read(item, (*path, "[]")) for item in value]
        if not isinstance(value, str):
            return value
        whole = _PLACEHOLDER.fullmatch(value)
        if whole is None:
            return _PLACEHOLDER.sub(lambda match: self._text(match, path), value)
        return _typed(self._text(whole, path), config_schema.kinds_at(self._spec, path))

    def _text(self, match: re.Match[str], path: tuple[str, ...]) -> str:
        name, default = match.group(1), match.group(2)
        text = self._environ.get(name)
        if default is not None and not text:
            return default
        if text is None:
            key = ".".join(("config", *path)).replace(".[]", "[]")
            raise ConfigError(
                f"{self._connection.file}: connection {self._connection.slug}: {key}:"
                f" environment variable {name} is not set"
            )
        if not _PLAIN_VALUE.fullmatch(text):
            self.secrets.add(text)
        return text


def _typed(text: str, kinds: set[str]) -> JsonValue:
    """A variable's text as the JSON type that the spec wants; as text where it is no such thing."""
    if not kinds or "string" in kinds:
        return text
    with contextlib.suppress(ValueError):
        value = cast("JsonValue", json.loads(text))
        if config_schema.kind_of(value) in kinds or (
            config_schema.kind_of(value) == "integer" and "number" in kinds
        ):
            return value
    return text


def _spellings(secret: str) -> set[str]:
    lines = {line.strip() for line in secret.splitlines()} if "\n" in secret else set[str]()
    plain = {secret, secret.strip(), *(line for line in lines if len(line) > 7)}
    spelled = plain | {json.dumps(text)[1:-1] for text in plain} | {quote(t, "") for t in plain}
    return {text for text in spelled if len(text) >= _SHORTEST_SECRET}


def _saved(file: Path, origin: str) -> ConfigObject | None:
    """What the connector saved, unless the file or the environment has changed since."""
    try:
        stored = json.loads(file.read_bytes())
    except FileNotFoundError:
        return None
    return cast("ConfigObject", stored["config"]) if stored["origin"] == origin else None


def _file(data_dir: Path, connection: EmbeddedConnection) -> Path:
    return data_dir / "connectors" / "config" / f"{connection.slug}.json"
