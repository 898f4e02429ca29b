"""Connectors on this machine: installed, and asked for their spec, a check and the catalog."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import msgspec
from packaging.utils import canonicalize_name

from atlas_dagster.airbyte import config_store, protocol
from atlas_dagster.airbyte.config_schema import Schema
from atlas_dagster.airbyte.config_store import ConfigObject, ResolvedConfig, Scrubber
from atlas_dagster.airbyte.failures import ERROR_LEVELS, failure_reason
from atlas_dagster.airbyte.process import private_directory, running, write_private
from atlas_dagster.config import EmbeddedConnection
from atlas_dagster.errors import ConnectorError

CATALOG_SECONDS = 24 * 3600.0  # as often as Airbyte looks for schema changes
_TELLING = re.compile(r"error|because|no version|no match", re.IGNORECASE)
_MISSING = re.compile(  # as pip says it, and as uv does
    r"(?:satisfies the requirement|there (?:is|are) no versions? of) "
    r"(?P<requirement>(?P<name>[\w.-]+).*?)(?: \(from |,? and |, we |$)"
)
_OFFERED = re.compile(r"\(from versions: ([^)]*)\)")
SHOWN_VERSIONS = 5
_INSTALLED = ".atlas-installed"


@dataclass(frozen=True)
class Connector:
    """An installed connector, and what its commands are run with."""

    connection: EmbeddedConnection
    executable: Path
    data_dir: Path
    heartbeat_seconds: float
    cancelled: threading.Event
    scrub: Scrubber

    @property
    def run_dir(self) -> Path:
        """Where the files that its commands are given lie for as long as they run."""
        return self.data_dir / "connectors" / "run" / self.connection.slug

    @property
    def label(self) -> str:
        """The connector as errors call it."""
        return connector_label(self.connection)


class ConfigKeeper:
    """The configuration of a running connector, with the changes that the connector sends."""

    def __init__(self, connector: Connector, config: ResolvedConfig, spec: Schema) -> None:
        self.config = config
        self._connector = connector
        self._spec = spec
        connector.scrub.hide(config.secrets)

    def keep(self, update: bytes) -> None:
        """Store a configuration that the connector sent, at once."""
        connector = self._connector
        self.config = config_store.save_update(
            connector.connection, self.config, update, self._spec, connector.data_dir
        )
        connector.scrub.hide(self.config.secrets)


def connector_label(connection: EmbeddedConnection) -> str:
    """``package==version``, or the executable where one is named by its path."""
    if _is_path(connection.executable):
        return connection.executable
    return f"{connection.package}=={connection.version}"


def install(connection: EmbeddedConnection, data_dir: Path) -> Path:
    """The connector's executable, installed into a venv of its own where it is not there yet.

    A venv counts once its marker is written, which happens last, under a lock between processes.
    Raises ConnectorError where package, version or executable do not exist.
    """
    if _is_path(connection.executable):
        return _checked_executable(Path(connection.executable), connection)
    venv = _venv(connection, data_dir)
    if not (venv / _INSTALLED).exists():
        venv.parent.mkdir(parents=True, exist_ok=True)
        with _locked(venv.parent / f".{venv.name}.lock"):
            if not (venv / _INSTALLED).exists():
                try:
                    _install_venv(venv, connection)
                except ConnectorError as error:
                    where = f"source of {connection.slug} in {connection.file}"
                    raise ConnectorError(f"{error} ({where})") from None
                (venv / _INSTALLED).touch()
    return _checked_executable(venv / "bin" / connection.executable, connection)


def installed(connection: EmbeddedConnection, data_dir: Path) -> Path | None:
    """The connector's executable; None where it is yet to be installed. Raises as `install`."""
    if _is_path(connection.executable):
        return _checked_executable(Path(connection.executable), connection)
    venv = _venv(connection, data_dir)
    if not (venv / _INSTALLED).exists():
        return None
    return _checked_executable(venv / "bin" / connection.executable, connection)


def connection_requirement(connection: EmbeddedConnection) -> str:
    """What pip is asked for."""
    return f"{connection.package}=={connection.version}"


def spec(connector: Connector) -> Schema:
    """The JSON schema of the connector's configuration, kept for each version."""
    connection = connector.connection
    cache = connector.data_dir / "connectors" / f"{connection.package}-{connection.version}.spec"
    if not _is_path(connection.executable) and cache.exists():
        return cast("Schema", msgspec.json.decode(cache.read_bytes()))
    with private_directory(connector.run_dir) as directory:
        messages = _answer(connector, "spec", directory, [])
    answer = next((bytes(m.spec) for m in messages if m.type == "SPEC"), b"")
    parsed = _object(answer, connector, "spec")
    schema = cast("Schema", parsed.get("connectionSpecification") or {})
    if not _is_path(connection.executable):
        write_private(cache, msgspec.json.encode(schema))
    return schema


def configure(connector: Connector) -> ConfigKeeper:
    """The connector's configuration; raises ConfigError where that does not fit its spec."""
    schema = spec(connector)
    config = config_store.resolve(connector.connection, schema, connector.data_dir)
    return ConfigKeeper(connector, config, schema)


def check(connector: Connector, keeper: ConfigKeeper) -> None:
    """Ask the connector whether it can reach its source; raises ConnectorError with its reason."""
    messages = _answer_with_config(connector, "check", keeper)
    status = next((m.connection_status for m in messages if m.connection_status), None)
    if status is None:
        raise ConnectorError(f"{connector.label}: check gave no answer")
    if status.status != "SUCCEEDED":
        reason = connector.scrub(status.message or "no reason given")
        raise ConnectorError(f"{connector.label}: check failed: {reason}")


def discover(connector: Connector, keeper: ConfigKeeper) -> dict[str, Any]:
    """The source's catalog; asked anew once a day, for another version, and another config."""
    cached = _cached_catalog(connector, keeper.config)
    return ask_catalog(connector, keeper) if cached is None else cached


def ask_catalog(connector: Connector, keeper: ConfigKeeper) -> dict[str, Any]:
    """The source's catalog as of now."""
    messages = _answer_with_config(connector, "discover", keeper)
    answer = next((bytes(m.catalog) for m in messages if m.type == "CATALOG"), b"")
    catalog = _object(answer, connector, "catalog")
    entry = {"key": _catalog_key(connector, keeper.config), "at": time.time(), "catalog": catalog}
    write_private(
        catalog_file(connector.connection, connector.data_dir), msgspec.json.encode(entry)
    )
    return catalog


def known_catalog(connection: EmbeddedConnection, data_dir: Path) -> dict[str, Any]:
    """The catalog as last discovered, empty before the first time; runs and asks nothing."""
    try:
        entry = msgspec.json.decode(catalog_file(connection, data_dir).read_bytes())
    except FileNotFoundError:
        return {"streams": []}
    return cast("dict[str, Any]", entry["catalog"])


def catalog_file(connection: EmbeddedConnection, data_dir: Path) -> Path:
    """Where a connection's catalog is kept, with the digest of what it was discovered with."""
    return data_dir / "connectors" / "catalog" / f"{connection.slug}.json"


def _cached_catalog(connector: Connector, config: ResolvedConfig) -> dict[str, Any] | None:
    try:
        entry = msgspec.json.decode(
            catalog_file(connector.connection, connector.data_dir).read_bytes()
        )
    except FileNotFoundError:
        return None
    fresh = 0 <= time.time() - entry["at"] < CATALOG_SECONDS
    known = entry["key"] == _catalog_key(connector, config)
    return cast("dict[str, Any]", entry["catalog"]) if fresh and known else None


def _catalog_key(connector: Connector, config: ResolvedConfig) -> str:
    values: ConfigObject = {"connector": connector.label, "config": config.origin}
    return config_store.digest(values)


def _answer_with_config(
    connector: Connector, verb: str, keeper: ConfigKeeper
) -> list[protocol.Message]:
    """Run a short command with the configuration, and keep what it changes of that."""
    with private_directory(connector.run_dir) as directory:
        path = write_private(directory / "config.json", msgspec.json.encode(keeper.config.values))
        messages = _answer(connector, verb, directory, ["--config", str(path)])
    for message in messages:
        if message.control is not None and message.control.connector_config is not None:
            keeper.keep(bytes(message.control.connector_config.config))
    return messages


def _answer(
    connector: Connector, verb: str, directory: Path, options: Sequence[str]
) -> list[protocol.Message]:
    """Run a short command to its end and return what it said; raises ConnectorError on failure."""
    messages: list[protocol.Message] = []
    last_words: list[str] = []
    with running(
        [str(connector.executable), verb, *options],
        directory,
        heartbeat_seconds=connector.heartbeat_seconds,
        on_stderr=last_words.append,
        cancelled=connector.cancelled,
    ) as process:
        for chunk in process.chunks():
            messages.extend(protocol.decode(chunk))
        if not process.rest.strip().startswith(b"{"):
            messages.extend(protocol.decode_rest(process.rest))
        else:  # an answer without a newline at its end is an answer
            messages.extend(protocol.decode(process.rest))
        code = process.wait()
    error = next((m.trace.error for m in messages if m.trace and m.trace.error), None)
    if code != 0 or error:
        logged = [m.log.message for m in messages if m.log and m.log.level in ERROR_LEVELS]
        reason = failure_reason(error, [*last_words, *logged], connector.scrub)
        raise ConnectorError(f"{connector.label}: {verb} failed with exit code {code}: {reason}")
    return messages


def _object(answer: bytes, connector: Connector, what: str) -> dict[str, Any]:
    parsed = msgspec.json.decode(answer) if answer else None
    if not isinstance(parsed, dict):
        raise ConnectorError(f"{connector.label}: it printed no {what}")
    return cast("dict[str, Any]", parsed)


def _venv(connection: EmbeddedConnection, data_dir: Path) -> Path:
    return data_dir / "connectors" / f"{connection.package}-{connection.version}"


def _is_path(executable: str) -> bool:
    return Path(executable).is_absolute()


def _checked_executable(executable: Path, connection: EmbeddedConnection) -> Path:
    if os.access(executable, os.X_OK) and executable.is_file():
        return executable
    found = ""
    if not _is_path(connection.executable):
        scripts = sorted(p.name for p in executable.parent.glob("*source*"))
        found = f"; it has: {', '.join(scripts) or 'none'}"
    raise ConnectorError(
        f"connection {connection.slug}: {connector_label(connection)} has no executable"
        f" {connection.executable}{found}"
    )


def _install_venv(venv: Path, connection: EmbeddedConnection) -> None:
    """Build a venv in place; a half one of an earlier attempt is removed first."""
    requirement = connection_requirement(connection)
    shutil.rmtree(venv, ignore_errors=True)
    python = str(venv / "bin" / "python")
    uv = shutil.which("uv")
    if uv:
        make = [uv, "venv", "--quiet", "--no-project", "--python", sys.executable, str(venv)]
        fill = [uv, "pip", "install", "--quiet", "--python", python, requirement]
    else:
        make = [sys.executable, "-m", "venv", str(venv)]
        fill = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        fill.append(requirement)
    for command in (make, fill):
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            shutil.rmtree(venv, ignore_errors=True)
            reason = _install_reason(done.stderr, connection.package)
            raise ConnectorError(f"{requirement} cannot be installed: {reason}")


def _install_reason(stderr: str, package: str) -> str:
    """The lines that say why, without the credentials that an index URL may carry."""
    clean = re.sub(r"//[^/@\s]+@", "//", stderr)
    lines = [line.strip(" ×╰─▶│\t") for line in clean.splitlines()]
    missing = _MISSING.search(" ".join(lines))
    if missing and canonicalize_name(missing["name"]) != canonicalize_name(package):
        return f"it needs {missing['requirement']}, which there is not; try another version"
    offered = _OFFERED.search(clean)
    if offered:  # pip lists all of them, the newest last
        newest = offered[1].split(", ")[-SHOWN_VERSIONS:]
        if newest == ["none"]:
            return "the package index has no version of it for this Python; is its name right?"
        return f"there is no such version; the newest are {', '.join(newest)}"
    telling = [line for line in lines if _TELLING.search(line)]
    return " ".join(telling or lines[-3:])[:400] or "no reason given"


@contextmanager
def _locked(path: Path) -> Generator[None]:
    """Hold a lock between processes; the kernel frees it when its holder dies."""
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
