"""Whether PostgreSQL is as Atlas needs it: version, encoding, our tables, connections, rights."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from typing import Any

from atlas_dagster import embedded_postgres
from atlas_dagster.airbyte.catalogs import WORKSPACE_ID
from atlas_dagster.counted import counted
from atlas_dagster.doctor.probes import Finding, doubtful, well, wrong
from atlas_dagster.errors import WarehouseError
from atlas_dagster.roles.grants import WRITER
from atlas_dagster.roles.ownership import LAYERS, STATE, Owned, find_owned, read_ownership
from atlas_dagster.settings import Settings
from atlas_dagster.warehouse import (
    PgConnection,
    connect,
    known_version,
    resolve_session_url,
    schema_version,
)

NEWEST_SERVER = 18
"""The newest major version that the tests run on."""

FEW_CONNECTIONS = 20
NO_CONNECTIONS = 3
TOLERATED_SECONDS, WRONG_SECONDS = 5.0, 60.0

_SCHEMAS = [STATE, *LAYERS]


def is_asleep(settings: Settings) -> bool:
    """Whether the warehouse is the embedded one, and does not run; looking does not start it."""
    return settings.warehouse_url is None and not embedded_postgres.is_running(settings.data_dir)


def warehouse_url(settings: Settings) -> str:
    """The URL of a warehouse that is not asleep."""
    return settings.warehouse_url or embedded_postgres.start(settings.data_dir)


def look_at_postgres(settings: Settings) -> Iterator[Finding]:
    """All that a connection to the warehouse tells."""
    if is_asleep(settings):
        yield doubtful(
            "postgresql",
            "the embedded server does not run: whatever needs it starts it, and so does"
            " atlas postgres start",
        )
        return
    with connect(warehouse_url(settings), application="atlas doctor") as connection:
        yield _version(connection, is_embedded=settings.warehouse_url is None)
        yield _encoding(connection)
        yield _schema(connection)
        yield _connections(connection)
        yield from _rights(connection)
        yield look_at_clock(connection)
    yield from _session(settings)


def _session(settings: Settings) -> Iterator[Finding]:
    """Where a session is got, if that is another place, or has to be."""
    try:
        url = resolve_session_url(settings)
        if url != settings.warehouse_url and settings.warehouse_session_url:
            with connect(url, application="atlas doctor") as connection:
                yield well("session", f"{connection.info.host}, port {connection.info.port}")
    except WarehouseError as error:
        yield wrong("session", str(error))


def look_at_clock(connection: PgConnection) -> Finding:
    """This machine's clock beside the server's: the day of a partition is by the one that wrote."""
    asked = time.time()
    server: datetime = _one(connection, "select clock_timestamp()")
    here = datetime.fromtimestamp((asked + time.time()) / 2, timezone.utc)
    return clock_finding("clock", "PostgreSQL", (here - server).total_seconds())


def clock_finding(what: str, other: str, ahead: float) -> Finding:
    """What it means that this machine's clock is so many seconds ahead of another."""
    if abs(ahead) <= TOLERATED_SECONDS:
        return well(what, f"within {TOLERATED_SECONDS:g} s of {other}'s")
    way = "ahead of" if ahead > 0 else "behind"
    text = (
        f"this machine's clock is {abs(ahead):,.0f} s {way} {other}'s: rows near midnight count to"
        " another day; let both keep time (NTP)"
    )
    return wrong(what, text) if abs(ahead) > WRONG_SECONDS else doubtful(what, text)


def _version(connection: PgConnection, *, is_embedded: bool) -> Finding:
    major, minor = divmod(connection.info.server_version, 10_000)
    info = connection.info
    where = "embedded" if is_embedded else f"{info.host}, port {info.port}"
    text = f"{major}.{minor}, {where}, database {info.dbname}, role {info.user}"
    if major > NEWEST_SERVER:
        return doubtful("postgresql", f"{text}; newer than {NEWEST_SERVER}, which was tested")
    return well("postgresql", text)


def _encoding(connection: PgConnection) -> Finding:
    encoding: str = _one(connection, "show server_encoding")
    if encoding == "UTF8":
        return well("encoding", "UTF8")
    return wrong(
        "encoding",
        f"{encoding}: texts of other scripts do not fit;"
        " create database … encoding 'UTF8' template template0",
    )


def _schema(connection: PgConnection) -> Finding:
    try:
        version, known = schema_version(connection), known_version()
    except WarehouseError as error:
        return wrong("schema", str(error))
    if version == 0:
        return well("schema", "none yet: the first run makes it")
    if version < known:
        return doubtful("schema", f"version {version} of {known}: the next run brings it up")
    return well("schema", f"version {version}")


def _connections(connection: PgConnection) -> Finding:
    row = connection.execute(
        "select count(*) filter (where datid is not null),"  # the kind is not everyone's to see
        " current_setting('max_connections')::int"
        " - current_setting('superuser_reserved_connections')::int from pg_stat_activity"
    ).fetchone()
    assert row is not None
    used, most = row
    text = f"{used} of {most} in use"
    if most - used < NO_CONNECTIONS:
        return wrong("connections", f"{text}; raise max_connections, or end idle ones")
    if most - used < FEW_CONNECTIONS:
        return doubtful("connections", f"{text}; a run takes up to 10: raise max_connections")
    return well("connections", text)


def _rights(connection: PgConnection) -> Iterator[Finding]:
    """Whether the role may make schemas, make tables in ours, and change the tables there are."""
    role: str = _one(connection, "select session_user")
    lacking = [str(row[0]) for row in connection.execute(_LACKING, (_SCHEMAS,)).fetchall()]
    advice = f"let an administrator run: atlas roles create --writer {role}"
    if lacking:
        yield wrong("rights", f"role {role} lacks {', '.join(lacking)}; {advice}")
    foreign, left = _of_others(connection)
    if foreign:
        yield wrong(
            "rights",
            f"others own what Atlas made: {_example(foreign)}; role {role} cannot change it;"
            f" {advice}",
        )
    if not lacking and not foreign:
        beside = f"; not Atlas' own, and left as it is: {_example(left)}" if left else ""
        yield well("rights", f"role {role} may do what runs do{beside}")


def _of_others(connection: PgConnection) -> tuple[list[Owned], list[Owned]]:
    """What our role cannot change: what `atlas roles create` takes over, and what it leaves.

    Of `pipeline` alone where that has any: what else is ours may not be for us to look up then.
    """
    rows = connection.execute("select rolname from pg_roles where not pg_has_role(oid, 'USAGE')")
    strangers = {str(name) for (name,) in rows.fetchall()}
    state = [each for each in find_owned(connection, [STATE]) if each.owner in strangers]
    if state:
        return state, []
    ownership = read_ownership(connection, WRITER, (), WORKSPACE_ID)
    foreign = [each for each in ownership.taken if each.owner in strangers]
    return foreign, [each for each in ownership.left if each.owner in strangers]


def _example(owned: Sequence[Owned]) -> str:
    return f"{counted(len(owned), 'object')}, as {owned[0].quoted} of {owned[0].owner}"


_LACKING = """
select 'CREATE on database ' || current_database()
where not has_database_privilege(current_database(), 'CREATE')
union all
select right_name || ' on schema ' || nspname
from pg_namespace
cross join unnest(array['USAGE', 'CREATE']) as right_name
where nspname = any(%s) and not has_schema_privilege(oid, right_name)
order by 1
"""


def _one(connection: PgConnection, query: str) -> Any:
    row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return row[0]
