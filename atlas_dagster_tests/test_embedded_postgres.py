"""The embedded server: it starts from nothing, beside another starter, and after a crash."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psutil
import psycopg
import pytest

from atlas_dagster import embedded_postgres
from atlas_dagster.errors import WarehouseError
from atlas_dagster_tests.conftest import server_directory

pytestmark = pytest.mark.slow  # each test has a server of its own


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """Not one of pytest's directories: another pytest would close those to the server's account."""
    home = server_directory()
    yield home / "data"
    embedded_postgres.stop(home / "data")
    shutil.rmtree(home)


def socket_dir(url: str) -> Path:
    return Path(parse_qs(urlsplit(url).query)["host"][0])


def server_pid(data_dir: Path) -> int:
    return int((data_dir / "postgres" / "postmaster.pid").read_text().split()[0])


def kill_server(data_dir: Path) -> psutil.Process:
    server = psutil.Process(server_pid(data_dir))
    server.kill()
    psutil.wait_procs([server], timeout=30)
    return server


def one(url: str, query: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return row[0]


def test_a_server_starts_once_and_stops_once(data_dir: Path) -> None:
    assert not embedded_postgres.is_running(data_dir)
    url = embedded_postgres.start(data_dir)
    pid = server_pid(data_dir)
    assert embedded_postgres.start(data_dir) == url
    assert server_pid(data_dir) == pid
    assert embedded_postgres.is_running(data_dir)
    assert one(url, "select current_database()") == "atlas"
    assert embedded_postgres.stop(data_dir)
    assert not embedded_postgres.is_running(data_dir)
    assert not embedded_postgres.stop(data_dir)


def test_the_server_is_durable_private_and_utf8(data_dir: Path) -> None:
    url = embedded_postgres.start(data_dir)
    expected = {
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        "listen_addresses": "",
        "server_encoding": "UTF8",
        "data_checksums": "on",
        "wal_level": "minimal",
    }
    assert {name: one(url, f"show {name}") for name in expected} == expected
    directory = socket_dir(url)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert directory.stat().st_uid == psutil.Process(server_pid(data_dir)).uids().real != 0


def test_what_an_operator_sets_wins_over_our_tuning(data_dir: Path) -> None:
    url = embedded_postgres.start(data_dir)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("alter system set max_wal_size = '2GB'")
    embedded_postgres.stop(data_dir)
    assert one(embedded_postgres.start(data_dir), "show max_wal_size") == "2GB"


def test_starters_at_the_same_time_share_one_server(data_dir: Path) -> None:
    program = (
        "import sys, pathlib; from atlas_dagster import embedded_postgres as e;"
        "print(e.start(pathlib.Path(sys.argv[1])))"
    )

    def start_in_a_process(_: int) -> str:
        done = subprocess.run(
            (sys.executable, "-c", program, str(data_dir)),
            capture_output=True,  # which waits for the end of its output, not of the process alone
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    with ThreadPoolExecutor(4) as pool:
        urls = set(pool.map(start_in_a_process, range(4)))
    assert len(urls) == 1
    assert embedded_postgres.is_running(data_dir)


def test_what_was_committed_survives_a_kill(data_dir: Path) -> None:
    url = embedded_postgres.start(data_dir)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("create table kept as select generate_series(1, 1000) as n")
    kill_server(data_dir)
    assert not embedded_postgres.is_running(data_dir)
    assert one(embedded_postgres.start(data_dir), "select count(*) from kept") == 1000


def test_the_process_id_of_a_killed_server_may_be_anothers_by_now(data_dir: Path) -> None:
    embedded_postgres.start(data_dir)
    kill_server(data_dir)
    pid_file = data_dir / "postgres" / "postmaster.pid"
    _, *others = pid_file.read_text().splitlines()
    pid_file.write_text("\n".join([str(os.getpid()), *others]) + "\n")
    assert not embedded_postgres.is_running(data_dir)
    assert one(embedded_postgres.start(data_dir), "select 1") == 1


def test_an_interrupted_creation_is_done_again(data_dir: Path) -> None:
    half_made = data_dir / "postgres.new-abc"
    half_made.mkdir(parents=True)
    (half_made / "PG_VERSION").write_text("18\n")
    assert one(embedded_postgres.start(data_dir), "select 1") == 1
    assert not half_made.exists()


def test_the_database_comes_back_after_it_was_dropped(data_dir: Path) -> None:
    url = embedded_postgres.start(data_dir)
    with psycopg.connect(url.replace("/atlas?", "/postgres?"), autocommit=True) as connection:
        connection.execute("drop database atlas")
    assert one(embedded_postgres.start(data_dir), "select current_database()") == "atlas"


@pytest.mark.parametrize("name", ["with space, 'quote' and %25", "x" * 120, "ü" * 40])
def test_any_path_serves(data_dir: Path, name: str) -> None:
    named = data_dir.parent / name
    try:
        url = embedded_postgres.start(named)
        assert one(url, "select 1") == 1
        assert stat.S_IMODE(socket_dir(url).stat().st_mode) == 0o700
    finally:
        embedded_postgres.stop(named)


def test_data_of_another_version_are_left_alone(data_dir: Path) -> None:
    embedded_postgres.start(data_dir)
    embedded_postgres.stop(data_dir)
    version = data_dir / "postgres" / "PG_VERSION"
    version.write_text("17\n")
    with pytest.raises(WarehouseError, match="was written by PostgreSQL 17"):
        embedded_postgres.start(data_dir)


def test_a_directory_that_is_not_a_database_is_left_alone(data_dir: Path) -> None:
    strange = data_dir / "postgres" / "notes.txt"
    strange.parent.mkdir(parents=True)
    strange.write_text("mine")
    with pytest.raises(WarehouseError, match="is not a PostgreSQL data directory"):
        embedded_postgres.start(data_dir)
    assert strange.read_text() == "mine"


def test_a_failed_start_quotes_the_servers_log(data_dir: Path) -> None:
    embedded_postgres.start(data_dir)
    embedded_postgres.stop(data_dir)
    with (data_dir / "postgres" / "postgresql.auto.conf").open("a") as configuration:
        configuration.write("no_such_setting = 1\n")
    with pytest.raises(WarehouseError, match="no_such_setting"):
        embedded_postgres.start(data_dir)


def test_a_data_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    obstacle = tmp_path / "file"
    obstacle.write_text("")
    with pytest.raises(WarehouseError, match=r"file/data.*cannot be written: Not a directory"):
        embedded_postgres.start(obstacle / "data")
