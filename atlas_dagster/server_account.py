"""The operating-system account that the embedded PostgreSQL runs as: its server refuses root."""

from __future__ import annotations

import os
import pwd
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

from atlas_dagster.errors import WarehouseError

SERVER_ACCOUNT = "pgserver"


@dataclass(frozen=True)
class Account:
    """A user and group id; ``switch`` where a program has to be started under them."""

    uid: int
    gid: int
    switch: bool


def server_account(cluster: Path) -> Account:
    """Our own account; for root, that of the data, and an unprivileged one for new data.

    Raises WarehouseError where root has no such account and cannot create it.
    """
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid(), switch=False)
    if cluster.exists() and cluster.stat().st_uid != 0:
        owner = cluster.stat()
        return Account(owner.st_uid, owner.st_gid, switch=True)
    entry = _unprivileged_account()
    return Account(entry.pw_uid, entry.pw_gid, switch=True)


def _unprivileged_account() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(SERVER_ACCOUNT)
    except KeyError:
        pass
    home = ("--no-create-home", "--home-dir", "/nonexistent")
    command = ("useradd", "--system", *home, "--shell", "/usr/sbin/nologin", SERVER_ACCOUNT)
    try:
        subprocess.run(command, check=False, capture_output=True, stdin=subprocess.DEVNULL)
        return pwd.getpwnam(SERVER_ACCOUNT)  # another process may have been first
    except (OSError, KeyError):
        raise WarehouseError(
            "PostgreSQL does not run as root, and the account pgserver could not be created:"
            " create it, or run Atlas as an ordinary user"
        ) from None


def account_name(uid: int) -> str:
    """The name of an account for a message: its number where it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def open_path(path: Path, account: Account) -> None:
    """As root, let the server's account pass through the parents of a path: o+x, nothing more."""
    if not account.switch:
        return
    for parent in path.parents:
        found = parent.stat()
        if found.st_uid != account.uid and not found.st_mode & stat.S_IXOTH:
            parent.chmod(stat.S_IMODE(found.st_mode) | stat.S_IXOTH)
