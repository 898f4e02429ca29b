"""The environment variables that decide how Atlas runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from atlas_dagster.errors import ConfigError
from atlas_dagster.settings import load_settings


def test_an_empty_environment_means_embedded_in_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load_settings({})
    assert settings.connections_file == tmp_path / "config" / "connections.yaml"
    assert settings.atlas_file == tmp_path / "config" / "atlas.yaml"
    assert settings.data_dir == tmp_path / ".atlas"
    assert settings.warehouse_url is None
    assert settings.dagster_url is None
    assert settings.heartbeat_seconds == 3600


def test_the_process_environment_is_read_unless_one_is_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ATLAS_CONNECTOR_HEARTBEAT_SECONDS", "90")
    assert load_settings().heartbeat_seconds == 90


def test_an_empty_variable_is_as_good_as_none() -> None:
    names = [
        "ATLAS_PROJECT_DIR",
        "ATLAS_CONFIG_DIR",
        "ATLAS_DATA_DIR",
        "ATLAS_WAREHOUSE_URL",
        "ATLAS_DAGSTER_URL",
        "ATLAS_CONNECTOR_HEARTBEAT_SECONDS",
    ]
    assert load_settings(dict.fromkeys(names, "")) == load_settings({})


def test_directories_start_at_the_project(tmp_path: Path) -> None:
    settings = load_settings(
        {"ATLAS_PROJECT_DIR": str(tmp_path), "ATLAS_CONFIG_DIR": "conf", "ATLAS_DATA_DIR": "data"}
    )
    assert settings.config_dir == tmp_path / "conf"
    assert settings.data_dir == tmp_path / "data"


def test_directories_may_lie_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    settings = load_settings({"ATLAS_CONFIG_DIR": "/etc/atlas", "ATLAS_DATA_DIR": "~/data"})
    assert settings.config_dir == Path("/etc/atlas").resolve()
    assert settings.data_dir == tmp_path / "data"


@pytest.mark.parametrize("scheme", ["postgresql", "postgres"])
def test_servers_are_named_by_url(scheme: str) -> None:
    warehouse, dagster = f"{scheme}://u:p@db/atlas", f"{scheme}://u:p@db/dagster"
    settings = load_settings({"ATLAS_WAREHOUSE_URL": warehouse, "ATLAS_DAGSTER_URL": dagster})
    assert (settings.warehouse_url, settings.dagster_url) == (warehouse, dagster)


@pytest.mark.parametrize("name", ["ATLAS_WAREHOUSE_URL", "ATLAS_DAGSTER_URL"])
@pytest.mark.parametrize("value", ["mysql://u:secret@db/atlas", "db.example.com", " "])
def test_another_url_is_refused_without_showing_it(name: str, value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings({name: value})
    assert str(caught.value) == f"{name}: expected a URL that starts with postgresql://"


@pytest.mark.parametrize("value", ["0", "-1", "soon", "nan", "inf"])
def test_a_heartbeat_is_a_number_above_0(value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings({"ATLAS_CONNECTOR_HEARTBEAT_SECONDS": value})
    assert str(caught.value) == (
        f"ATLAS_CONNECTOR_HEARTBEAT_SECONDS: expected a number above 0, found {value!r}"
    )
