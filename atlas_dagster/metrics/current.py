"""Which connections and streams are told of: those that there are, not all that ever were."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from atlas_dagster.warehouse import PgConnection


@dataclass(frozen=True)
class Current:
    """The ids of the connections, by slug, and the tables of their streams."""

    connections: Mapping[str, str]
    tables: list[str]

    @property
    def parameters(self) -> dict[str, list[str]]:
        """What the queries of a scrape are given."""
        return {
            "ids": list(self.connections.values()),
            "slugs": list(self.connections),
            "tables": self.tables,
        }


def load_current(connection: PgConnection, embedded: Mapping[str, str] | None) -> Current:
    """The embedded connections, and those that the last catalog of an Airbyte server has.

    ``embedded`` has ids by slug. None: they are not known, and all that ever were synced are told
    of. Streams are those of a connection's last sync.
    """
    if embedded is None:
        connections = dict(connection.execute(_LEDGER).fetchall())
    else:
        connections = {**dict(connection.execute(_SERVED).fetchall()), **embedded}
    tables = connection.execute(_TABLES, {"ids": list(connections.values())}).fetchall()
    return Current(connections, [str(row[0]) for row in tables])


_SERVED = """
select stored->>'slug', stored->>'id'
from pipeline.workspace_snapshot
cross join json_array_elements(snapshot->'connections') as stored
order by fetched_at
"""

_LEDGER = """
with recursive connection as (  -- the distinct ones, an index entry each
    (select connection_id from pipeline.sync order by connection_id limit 1)
    union all
    select (
        select next.connection_id from pipeline.sync as next
        where next.connection_id > connection.connection_id
        order by next.connection_id limit 1
    )
    from connection where connection.connection_id is not null
)
select coalesce(catalog.connection, connection_id), connection_id
from connection
left join pipeline.catalog using (connection_id)
where connection_id is not null
"""

_TABLES = """
select stream.table_name
from unnest(%(ids)s::text[]) as connection (connection_id)
cross join lateral (
    select max(job_id) as job_id from (
        select job_id from pipeline.sync
        where sync.connection_id = connection.connection_id
            and job_type = 'sync'
            and ended_at is not null
        order by job_id desc limit 1
    ) as newest
) as last
join pipeline.stream using (connection_id)
where last.job_id is null
    or exists (
        select from pipeline.sync_stream as synced
        where synced.connection_id = stream.connection_id
            and synced.job_id = last.job_id
            and synced.namespace = stream.namespace
            and synced.name = stream.name
    )
order by stream.table_name
"""
