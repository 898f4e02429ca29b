"""Where a person is: the record versions of a stream, by key or by a value of personal data.

A version that holds a wanted value leads to its natural key, and that to all versions of it: what
was once her address is as much hers as what is now. Explore has the values as they came; chart
may have them changed, and is asked by raw id and key; only of what explore has dropped since is
chart the only witness.
"""

from __future__ import annotations

from dataclasses import dataclass

from atlas_dagster.catalog import Table
from atlas_dagster.errors import WarehouseError
from atlas_dagster.layers.landing_source import find_landing
from atlas_dagster.layers.policy import use_key
from atlas_dagster.pii.masking import mask_sample
from atlas_dagster.subjects import search_sql
from atlas_dagster.subjects.streams import SearchedStream
from atlas_dagster.subjects.wanted import Wanted
from atlas_dagster.warehouse import PgConnection, table_columns

SHOWN_KEYS = 5


@dataclass(frozen=True)
class SubjectRows:
    """What a stream holds of a person, by layer; ``landing`` is None where there is none.

    ``keys`` are its natural keys, the first few, as they may be shown. ``elsewhere`` counts other
    record versions of explore that hold a wanted value within a text or in another field.
    """

    explore: int
    chart: int
    navigate: int
    landing: int | None
    elsewhere: int
    keys: tuple[str, ...]
    more_keys: int = 0

    @property
    def found(self) -> bool:
        return bool(self.explore or self.chart or self.navigate or self.landing)

    @property
    def by_layer(self) -> dict[str, int | None]:
        return {
            "explore": self.explore,
            "chart": self.chart,
            "navigate": self.navigate,
            "landing": self.landing,
        }


def find_versions(connection: PgConnection, searched: SearchedStream, wanted: Wanted) -> bool:
    """Fill the temporary tables ``subject_version`` and ``subject_key`` of the transaction.

    Returns whether there is anything in them. Raises ConfigError where a key is not one of the
    stream's.
    """
    version = connection.info.server_version
    use_key(connection, searched.policy)
    _save_wanted(connection, searched, wanted)
    present = table_columns(connection, Table("chart", searched.stream.table_name))
    connection.execute(search_sql.create_match(searched, wanted, version, present))
    if connection.execute("select from subject_match limit 1").fetchone() is None:
        connection.execute(search_sql.CREATE_NOTHING)
        return False
    connection.execute("analyze subject_match")
    connection.execute(search_sql.create_key(searched, version))
    connection.execute("analyze subject_key")
    connection.execute(search_sql.create_version(searched, version, present))
    connection.execute("analyze subject_version (_airbyte_raw_id)")
    return True


def _save_wanted(connection: PgConnection, searched: SearchedStream, wanted: Wanted) -> None:
    """Values are parameters here and nowhere in the text of a query, which logs may show."""
    connection.execute(search_sql.CREATE_WANTED)
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into subject_value values (%s, true)", [(v,) for v in wanted.values]
        )
        for parts in wanted.keys_of(searched):
            cursor.execute(
                search_sql.insert_wanted_key(searched), {str(i): p for i, p in enumerate(parts)}
            )
    if searched.policy.hashes:
        connection.execute(search_sql.HASH_WANTED)


def count_rows(connection: PgConnection, searched: SearchedStream, wanted: Wanted) -> SubjectRows:
    """What the temporary tables of `find_versions` stand for, in each layer."""
    row = connection.execute(search_sql.count_versions(searched)).fetchone()
    assert row is not None
    keys, all_keys = _shown_keys(connection, searched, wanted)
    return SubjectRows(
        explore=int(row[0]),
        chart=int(row[1]),
        navigate=int(row[2]),
        landing=_count_landed(connection, searched, wanted),
        elsewhere=_count_elsewhere(connection, searched, wanted),
        keys=keys,
        more_keys=all_keys - len(keys),
    )


def _shown_keys(
    connection: PgConnection, searched: SearchedStream, wanted: Wanted
) -> tuple[tuple[str, ...], int]:
    rows = connection.execute(
        "select natural_key, (count(*) over ())::int from subject_key order by 1 limit %s",
        (SHOWN_KEYS,),
    ).fetchall()
    hidden = searched.has_personal_key
    keys = tuple(
        mask_sample(key, "") if hidden or any(v in key for v in wanted.values) else key
        for key, _ in rows
    )
    return keys, int(rows[0][1]) if rows else 0


def _count_landed(connection: PgConnection, searched: SearchedStream, wanted: Wanted) -> int | None:
    try:
        source = find_landing(connection, searched.stream)
    except WarehouseError:
        return None
    row = connection.execute(search_sql.count_landed(searched, wanted, source)).fetchone()
    return int(row[0]) if row else None


def _count_elsewhere(connection: PgConnection, searched: SearchedStream, wanted: Wanted) -> int:
    if not wanted.values or "explore" not in searched.layers:
        return 0
    row = connection.execute(search_sql.count_elsewhere(searched)).fetchone()
    return int(row[0]) if row else 0
