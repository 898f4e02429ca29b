"""PgBouncer before the server of the tests, as operators have it."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg

from atlas_dagster_tests.ports import free_port
from atlas_dagster_tests.programs import program

PATIENCE_SECONDS = 30.0


@contextmanager
def pgbouncer(database_url: str, mode: str, size: int = 4) -> Iterator[str]:
    """The URL of a database through a pool of ``size`` connections; ``mode`` is `pool_mode`."""
    executable = program("pgbouncer", "pgbouncer")
    directory = Path(tempfile.mkdtemp(prefix="atlas-pgbouncer-"))
    directory.chmod(0o755)
    parts, port = urlsplit(database_url), free_port()
    host = parse_qs(parts.query).get("host", [parts.hostname or "127.0.0.1"])[0]
    server = f"host={host} port={parts.port or 5432} user={parts.username or 'postgres'}"
    _write_configuration(directory, server, port, mode, size)
    with (directory / "log").open("w") as log:
        process = subprocess.Popen(
            [executable, directory / "pgbouncer.ini"],
            stdout=log,
            stderr=subprocess.STDOUT,
            **_account(host),
        )
    try:
        url = f"postgresql://postgres@127.0.0.1:{port}{parts.path}"
        _wait_for(url, process, directory / "log")
        yield url
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(directory)


def _account(host: str) -> dict[str, Any]:
    """The account that owns the server's socket, and may use it: PgBouncer refuses to be root."""
    if os.geteuid() != 0:
        return {}
    owner = Path(host).stat() if host.startswith("/") else None
    account = pwd.getpwuid(owner.st_uid) if owner and owner.st_uid else pwd.getpwnam("nobody")
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def _write_configuration(directory: Path, server: str, port: int, mode: str, size: int) -> None:
    (directory / "pgbouncer.ini").write_text(
        f"""[databases]
* = {server}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = {mode}
default_pool_size = {size}
max_client_conn = 200
client_login_timeout = 10
"""
    )


def _wait_for(url: str, process: subprocess.Popen[Any], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not _answers(url):
        if process.poll() is not None or time.monotonic() > deadline:
            raise AssertionError(log.read_text())
        time.sleep(0.05)


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError:
        return False
    return True
