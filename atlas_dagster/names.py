"""Names: slugs for Dagster, identifiers for PostgreSQL, and Airbyte's own rules for the latter."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Sequence

POSTGRES_NAME_BYTES = 63

# PostgreSQL refuses these as column names, even quoted.
SYSTEM_COLUMNS = ("tableoid", "xmin", "cmin", "xmax", "cmax", "ctid")

AIRBYTE_COLUMNS = (
    "_airbyte_raw_id",
    "_airbyte_extracted_at",
    "_airbyte_meta",
    "_airbyte_generation_id",
)

_PLAIN = re.compile(rf"[A-Za-z_][A-Za-z0-9_]{{0,{POSTGRES_NAME_BYTES - 1}}}")
_RESERVED_COLUMN = re.compile(rf"_+(atlas|airbyte)_|_*({'|'.join(SYSTEM_COLUMNS)})\Z")


def slug(name: str) -> str:
    """Reduce a name to ``[a-z0-9_]``, never empty and never with ``__`` in it.

    ``__`` is left out so that ``<connection>__<stream>`` can be read back in one way only.
    """
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    reduced = re.sub(r"[^a-z0-9]+", "_", ascii_name.lower()).strip("_")
    return reduced or f"x{_digest(name)}"


def unique_slugs(names: Sequence[str]) -> dict[str, str]:
    """Slug each name so that no two share one.

    A name that is its own slug keeps it; the others of a clash get a tail made of the name alone,
    so that a slug does not depend on the order in which names appear.
    """
    wanted: dict[str, list[str]] = {}
    for name in dict.fromkeys(names):
        wanted.setdefault(slug(name), []).append(name)
    taken: dict[str, str] = {}
    for candidate, claimants in wanted.items():
        for name in claimants:
            alone = len(claimants) == 1 or name == candidate
            taken[name] = candidate if alone else f"{candidate}_{_digest(name)}"
    if len(set(taken.values())) != len(taken):  # a plain name that looks like another's tail
        return {name: f"{slug(name)}_{_digest(name)}" for name in taken}
    return taken


def tailed_slug(name: str, key: str) -> str:
    """The slug of a name with a tail made of a key that no other of that name has."""
    return f"{slug(name)}_{_digest(key)}"


def bounded_identifier(name: str) -> str:
    """A name as PostgreSQL can hold it: 1 to 63 bytes of UTF-8 without NUL.

    What had to be changed gets a hash tail, so that two names stay two.
    """
    encoded = name.replace("\0", "").encode(errors="replace")
    if encoded.decode() == name and 0 < len(encoded) <= POSTGRES_NAME_BYTES:
        return name
    tail = f"_{_digest(name)}"
    return encoded[: POSTGRES_NAME_BYTES - len(tail)].decode(errors="ignore") + tail


def layer_table(connection_slug: str, stream_slug: str) -> str:
    """The table of a stream in explore, chart and navigate."""
    return bounded_identifier(f"{connection_slug}__{stream_slug}")


def unique_columns(names: Iterable[str]) -> dict[str, str]:
    """Map source field names to column names that PostgreSQL keeps apart after its cut to 63 bytes.

    A field that would take a name of ours (``_atlas_…``), of Airbyte's (``_airbyte_…``) or of
    PostgreSQL's gets a leading ``_``, and so do those that such a field would clash with then: a
    field's column does not depend on the order of the fields.
    """
    columns: dict[str, str] = {}
    used: set[str] = set()
    for name in names:
        column = bounded_identifier(f"_{name}" if _RESERVED_COLUMN.match(name) else name)
        while column in used:  # a plain name that looks like the cut form of another
            column = bounded_identifier(f"{column[:40]}_{_digest(name + column)}")
        used.add(column)
        columns[name] = column
    return columns


def airbyte_identifier(name: str) -> str:
    """The identifier that Airbyte's destination-postgres 3.x makes of a name; case is kept.

    Rule and examples: airbytehq/airbyte, destination-postgres, db/PostgresNamingUtils.kt. The
    tail of a cut name may hold the minus of a negative hash, as Airbyte's does.
    """
    if _PLAIN.fullmatch(name):
        return name
    decomposed = unicodedata.normalize("NFKD", name)
    bare = "".join(c for c in decomposed if not unicodedata.category(c).startswith("M"))
    spaced = re.sub(r"\s+", "_", bare, flags=re.ASCII)  # Java's \s is ASCII too
    plain = re.sub(r"[^A-Za-z0-9_]", "_", spaced)
    if not plain:
        return f"default_name_{_digest(name)}"
    if plain[0].isdigit():
        plain = f"_{plain}"
    if len(plain) <= POSTGRES_NAME_BYTES:
        return plain
    return f"{plain[:54]}_{str(_java_string_hash(plain))[-8:]}"


def airbyte_tables(streams: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """The table (schema, name) of each stream (namespace, prefixed name), in order.

    Streams that reduce to one table are told apart by a hash, except where they are spelled the
    same: Airbyte refuses those. Rule: airbytehq/airbyte, load CDK, schema/TableNameResolver.kt.
    """
    tables: dict[tuple[str, str], tuple[str, str]] = {}
    for namespace, name in streams:
        schema = airbyte_identifier(namespace)
        table = schema, airbyte_identifier(name)
        if table in tables.values() and (namespace, name) not in tables:
            digest = _sha1(f"{schema}&airbyte&{name}")[:3]
            table = schema, airbyte_identifier(f"{name}_{digest}")
        tables.setdefault((namespace, name), table)
    return [tables[stream] for stream in streams]


def airbyte_raw_table(namespace: str, name: str) -> str:
    """The name of a stream's raw table, of destination-postgres 2.x and 3.x.

    Rule: airbytehq/airbyte, load CDK, table/TypingDedupingUtil.kt.
    """
    longest = max((len(run) for run in re.findall(r"_+", f"{namespace}{name}")), default=0)
    bars = "_" * max(2, longest + 1)
    return airbyte_identifier(f"{namespace}_raw{bars}stream_{name}".lower())


def airbyte_columns(properties: Sequence[str]) -> dict[str, str]:
    """Map property names to landing columns, in order, with Airbyte's suffixes on a clash.

    A property that is called like a column of Airbyte's own or of PostgreSQL's, with which a real
    destination fails, counts as a clash. Rule: airbytehq/airbyte, load CDK,
    schema/ColumnNameResolver.kt.
    """
    columns: dict[str, str] = {}
    used = {*AIRBYTE_COLUMNS, *SYSTEM_COLUMNS}
    for name in properties:
        column, attempt = airbyte_identifier(name), 0
        while column in used:
            attempt += 1
            column = airbyte_identifier(f"{name}_{attempt}")
        used.add(column)
        columns[name] = column
    return columns


def _java_string_hash(text: str) -> int:
    """Java's ``String.hashCode``: a signed 32-bit number over UTF-16 code units."""
    value = 0
    for unit in memoryview(text.encode("utf-16-le")).cast("H"):
        value = (31 * value + unit) & 0xFFFFFFFF
    return value - (1 << 32) if value >= 1 << 31 else value


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]


def _sha1(text: str) -> str:
    return hashlib.sha1(text.encode(errors="replace"), usedforsecurity=False).hexdigest()
