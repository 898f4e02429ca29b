"""What is on this machine: packages, connectors, disks."""

from __future__ import annotations

import json
import os
import platform
import shutil
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from atlas_dagster.airbyte.connectors import connector_label, installed
from atlas_dagster.config import EmbeddedConnection, load_connections
from atlas_dagster.doctor.probes import Finding, doubtful, well, wrong
from atlas_dagster.errors import AtlasError
from atlas_dagster.settings import Settings

SHOWN_PACKAGES = ("dagster", "soda-core", "presidio-analyzer")
TIGHT_BYTES, FULL_BYTES = 5_000_000_000, 500_000_000


def look_at_versions(settings: Settings | None, requirements: Sequence[str]) -> Iterator[Finding]:
    """Python, the packages that decide what is found, and the model of names where one is set.

    ``requirements`` are what Atlas declares that it needs.
    """
    shown = [f"Python {platform.python_version()}", f"Atlas {metadata.version('atlas-dagster')}"]
    for requirement in map(Requirement, requirements):
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            yield wrong("versions", f"{requirement.name} is not installed: make install")
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            yield wrong("versions", f"{requirement.name} {version}: {requirement} is needed")
        if requirement.name in SHOWN_PACKAGES:
            shown.append(f"{requirement.name} {version}")
    yield well("versions", ", ".join([*shown, f"NER: {_model(settings)}"]))


def requirements() -> list[str]:
    """What Atlas declares that it needs."""
    return metadata.requires("atlas-dagster") or []


def _model(settings: Settings | None) -> str:
    name = settings.pii_spacy_model if settings else None
    if name is None:
        return "not active"
    if not Path(name).is_absolute():
        return f"{name} {metadata.version(name)}"
    described = json.loads((Path(name) / "meta.json").read_text("utf-8"))
    return f"{described.get('name', Path(name).name)} {described.get('version', 'without version')}"


def look_at_connectors(settings: Settings) -> Iterator[Finding]:
    """Each embedded connection's connector: whether it is installed, and its Python."""
    try:
        connections = load_connections(settings)
    except AtlasError:
        return  # told where files are looked at
    for connection in connections:
        yield _connector(connection, settings.data_dir)


def _connector(connection: EmbeddedConnection, data_dir: Path) -> Finding:
    label = f"{connection.slug}: {connector_label(connection)}"
    try:
        executable = installed(connection, data_dir)
    except AtlasError as error:
        return wrong("connector", str(error))
    if executable is None:
        return doubtful("connector", f"{label} is not installed: the first sync does so")
    return well("connector", f"{label}, {_python(executable)}")


def _python(executable: Path) -> str:
    """The Python of a venv, by what its maker wrote down."""
    file = executable.parents[1] / "pyvenv.cfg"
    if file.is_file():
        for line in file.read_text("utf-8", "replace").splitlines():
            key, _, value = line.partition("=")
            if key.strip() in ("version", "version_info"):
                return f"Python {value.strip()}"
    return "Python unknown"


def look_at_disks(
    settings: Settings, tight: int = TIGHT_BYTES, full: int = FULL_BYTES
) -> Iterator[Finding]:
    """The room where the data directory lies, and the embedded server's data where that differs."""
    paths = {_device(settings.data_dir): settings.data_dir}
    if settings.warehouse_url is None:
        cluster = settings.data_dir / "postgres"
        paths.setdefault(_device(cluster), cluster)
    for path in paths.values():
        if (problem := _unusable(path)) is not None:
            yield wrong("disk", problem)
            continue
        usage = shutil.disk_usage(_there(path))
        text = f"{path}: {usage.free / 1e9:,.1f} GB free of {usage.total / 1e9:,.1f}"
        if usage.free < full:
            yield wrong("disk", f"{text}; make room before the next run")
        elif usage.free < tight:
            yield doubtful("disk", f"{text}; make room")
        else:
            yield well("disk", text)


def _unusable(path: Path) -> str | None:
    """Why nothing can be kept in a directory, which is there or still to be made."""
    there = _there(path)
    if not there.is_dir():
        return f"{path}: {there} is no directory; name another in ATLAS_DATA_DIR"
    if not os.access(there, os.W_OK | os.X_OK) or os.statvfs(there).f_blocks == 0:
        return f"{path}: nothing can be written in {there}; name another in ATLAS_DATA_DIR"
    return None


def _device(path: Path) -> int:
    return _there(path).stat().st_dev


def _there(path: Path) -> Path:
    """A directory, or the nearest above it that is there already."""
    return next(one for one in (path, *path.parents) if one.exists())
