"""The SQL that takes a person out of the data of a record version, and leaves the version.

Values with personal data become ``<erased>``, or null where their column takes no text. Parts of
the natural key become a pseudonym: keys of two persons must stay two, and versions of one key one
history. Its secret is forgotten with the transaction, so that nobody can try names out.
"""

from __future__ import annotations

from functools import partial

from psycopg import sql

from atlas_dagster.errors import ConfigError
from atlas_dagster.layers.field_sql import Change, changed_fields, value_text
from atlas_dagster.layers.history_rules import CDC_PREFIX
from atlas_dagster.pii_rules import Action, Path, field_name
from atlas_dagster.subjects.streams import SearchedStream, overlaps

ERASED = "<erased>"
SECRET = "atlas.erasure_secret"


def check_redactable(searched: SearchedStream) -> None:
    """Raise ConfigError where a part of the natural key is personal and takes no pseudonym."""
    for path in searched.key:
        column = searched.charted.column(path[0])
        if column and path in searched.personal and not searched.is_text(column.name):
            raise ConfigError(
                f"{searched.stream.label}: {field_name(path)} is in the natural key, is personal,"
                f" and takes no text ({column.type.value}): use --remove"
            )


def redacted_data(searched: SearchedStream, *, in_explore: bool) -> sql.Composable:
    """SQL: ``version.data`` without the person, raw as in explore or as chart has it."""
    data = sql.SQL("version.data")
    if not searched.personal:
        return _all_but_key(searched, data)
    return changed_fields(data, _changes(searched, in_explore))


def _changes(searched: SearchedStream, in_explore: bool) -> dict[Path, Change | None]:
    changes: dict[Path, Change | None] = {}
    for path in searched.personal:
        of_key = [part for part in searched.key if overlaps(path, [part])]
        if any(len(part) > len(path) for part in of_key):
            changes[path] = partial(_unless_object, erased=_erased(searched, path))
        elif of_key:
            is_hashed = searched.policy.action(path) is Action.HASH
            changes[path] = partial(_pseudonym, is_hashed=is_hashed, in_explore=in_explore)
        else:
            changes[path] = _erased(searched, path)
    return changes


def _erased(searched: SearchedStream, path: Path) -> Change:
    name, *below = path
    takes_text = bool(below) or searched.is_text(name)
    return _as_text if takes_text else _as_null


def _as_text(value: sql.Composable) -> sql.Composable:
    return sql.SQL("case when {} <> 'null' then to_jsonb({}::text) end").format(
        value, sql.Literal(ERASED)
    )


def _as_null(_value: sql.Composable) -> sql.Composable:
    return sql.SQL("'null'::jsonb")


def _unless_object(value: sql.Composable, erased: Change) -> sql.Composable:
    """A part of the key lies in it; its own personal parts are fields of their own."""
    return sql.SQL("case when jsonb_typeof({0}) = 'object' then {0} else {1} end").format(
        value, erased(value)
    )


def _pseudonym(value: sql.Composable, *, is_hashed: bool, in_explore: bool) -> sql.Composable:
    """Made of what chart has of the value, the only form in which both know it."""
    text: sql.Composable = value_text(value)
    if is_hashed and in_explore:
        text = sql.SQL("pipeline.pii_hash({})").format(text)
    name = pseudonym_text(text)
    if is_hashed and not in_explore:
        name = sql.SQL("pipeline.pii_hash({})").format(name)
    return sql.SQL("to_jsonb({})").format(name)


def pseudonym_text(text: sql.Composable) -> sql.Composable:
    """SQL: the same for the same text within a transaction, NULL for NULL."""
    return sql.SQL(
        "'<erased ' || left(encode(sha256("
        "convert_to(current_setting({}) || {}, 'UTF8')), 'hex'), 16) || '>'"
    ).format(sql.Literal(SECRET), text)


def _all_but_key(searched: SearchedStream, data: sql.Composable) -> sql.Composable:
    """What is not known to be personal is taken to be; the key stays, and what CDC tells."""
    heads = {path[0] for path in searched.key}
    kept = [path[0] for path in searched.key if len(path) == 1]
    if searched.rules.time is not None:
        kept.append(searched.rules.time.name)
    typed = [c.name for c in searched.charted.columns if not searched.is_text(c.name)]
    nested: sql.Composable = sql.SQL("'{}'::jsonb")
    for head in sorted(heads - set(kept)):
        parts = [path[1:] for path in searched.key if path[0] == head]
        nested = sql.SQL("{} || {}").format(nested, _only(data, head, parts))
    return sql.SQL(
        """(
            select coalesce(jsonb_object_agg(name, case
                when value = 'null' or name = any ({kept}) or starts_with(name, {cdc}) then value
                when name = any ({typed}) then 'null'
                else to_jsonb({erased}::text)
            end), '{{}}')
            from jsonb_each({data}) as field (name, value)
        ) || {nested}"""
    ).format(
        kept=_texts(kept),
        cdc=sql.Literal(CDC_PREFIX),
        typed=_texts(typed),
        erased=sql.Literal(ERASED),
        data=data,
        nested=nested,
    )


def _only(data: sql.Composable, head: str, parts: list[Path]) -> sql.Composable:
    """SQL: an object of which only the parts of the key are left, under its name; else nothing."""
    value = sql.SQL("({} -> {})").format(data, sql.Literal(head))
    return sql.SQL(
        "case when jsonb_typeof({value}) = 'object'"
        " then jsonb_build_object({head}::text, {inner}) else '{{}}' end"
    ).format(value=value, head=sql.Literal(head), inner=_rebuilt(value, parts))


def _rebuilt(value: sql.Composable, parts: list[Path]) -> sql.Composable:
    names = sorted({part[0] for part in parts})
    built: list[sql.Composable] = []
    for name in names:
        below = sql.SQL("({} -> {})").format(value, sql.Literal(name))
        deeper = [part[1:] for part in parts if part[0] == name and len(part) > 1]
        inner = _rebuilt(below, deeper) if deeper else below
        built.append(sql.SQL("{}::text, {}").format(sql.Literal(name), inner))
    return sql.SQL("jsonb_build_object({})").format(sql.SQL(", ").join(built))


def _texts(names: list[str]) -> sql.Composable:
    return sql.SQL("{}::text[]").format(sql.Literal(names))
