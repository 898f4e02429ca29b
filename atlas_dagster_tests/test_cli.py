"""`atlas`: one line for what an operator can act on, and an exit code that scripts can use."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from atlas_dagster import embedded_postgres


def atlas(directory: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `atlas` in a directory, with nothing of ours in its environment but what is given."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("ATLAS_", "DAGSTER_"))}
    return subprocess.run(
        (sys.executable, "-c", "from atlas_dagster.cli import main; main()", *arguments),
        cwd=directory,
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_error_is_one_line_without_a_trace(tmp_path: Path) -> None:
    done = atlas(tmp_path, "postgres", "start", ATLAS_WAREHOUSE_URL="mysql://host/db")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "atlas: ATLAS_WAREHOUSE_URL: expected a URL that starts with postgresql://\n"
    )


def test_the_embedded_server_is_not_offered_beside_a_warehouse_of_ones_own(tmp_path: Path) -> None:
    done = atlas(tmp_path, "postgres", "url", ATLAS_WAREHOUSE_URL="postgresql://host/db")
    assert done.returncode == 1
    assert "ATLAS_WAREHOUSE_URL is set" in done.stderr


def test_dev_says_where_it_has_to_be_run(tmp_path: Path) -> None:
    done = atlas(tmp_path, "dev")
    assert done.returncode == 1
    assert done.stderr == (
        f"atlas: {tmp_path} has no dagster.yaml: run atlas in the project's directory\n"
    )


def test_the_directorys_env_file_is_read_and_the_environment_wins(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("ATLAS_WAREHOUSE_URL=wrong\nATLAS_DATA_DIR=from_file\n")
    assert "ATLAS_WAREHOUSE_URL" in atlas(tmp_path, "postgres", "status").stderr
    done = atlas(tmp_path, "postgres", "status", ATLAS_WAREHOUSE_URL="postgresql://host/db")
    assert (done.returncode, done.stdout) == (3, "PostgreSQL is not running\n")


def test_migrate_says_what_it_did_and_does_it_once(tmp_path: Path, empty_database_url: str) -> None:
    url = {"ATLAS_WAREHOUSE_URL": empty_database_url}
    first = atlas(tmp_path, "migrate", **url).stdout.splitlines()
    assert first[0] == "applied 0001_pipeline"
    assert first[-1] == "the warehouse is up to date"
    assert atlas(tmp_path, "migrate", **url).stdout == "the warehouse is up to date\n"


@pytest.mark.slow
def test_the_embedded_server_is_started_and_stopped(tmp_path: Path) -> None:
    data_dir = tmp_path / ".atlas"
    try:
        url = atlas(tmp_path, "postgres", "start").stdout
        assert url.startswith("postgresql://postgres@/atlas?host=")
        assert atlas(tmp_path, "postgres", "url").stdout == url
        assert atlas(tmp_path, "postgres", "status").stdout == "PostgreSQL is running\n"
        with psycopg.connect(url, application_name="dagster"), psycopg.connect(url):
            assert atlas(tmp_path, "postgres", "stop").stdout == (
                "PostgreSQL is stopped; 1 session of dagster, 1 session of programs without a name"
                " were ended: start it again, or stop atlas dev\n"
            )
        assert atlas(tmp_path, "postgres", "status").returncode == 3
        atlas(tmp_path, "postgres", "start")
        assert atlas(tmp_path, "postgres", "stop").stdout == "PostgreSQL is stopped\n"
        assert atlas(tmp_path, "postgres", "stop").stdout == "PostgreSQL was not running\n"
    finally:
        embedded_postgres.stop(data_dir)
