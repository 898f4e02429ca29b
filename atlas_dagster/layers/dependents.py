"""What people have built on a table of a layer, kept while it is built anew: views and grants."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from atlas_dagster.catalog import Table
from atlas_dagster.errors import WarehouseError
from atlas_dagster.warehouse import PgConnection, identifier


@dataclass(frozen=True)
class _View:
    """A view, plain or materialized, as it has to be made again."""

    schema: str
    name: str
    is_materialized: bool
    definition: str
    options: list[str]
    owner: str
    indexes: list[str]

    @property
    def table(self) -> Table:
        return Table(self.schema, self.name)


@dataclass(frozen=True)
class _Grant:
    schema: str
    name: str
    privilege: str
    grantee: str | None  # None: public
    is_grantable: bool


@contextmanager
def replacing(
    connection: PgConnection, table: Table, ours: Sequence[Table] = (), function: str = ""
) -> Generator[None]:
    """Drop a table and what stands on it; views of others and grants are made again at the end.

    ``ours`` are the views, and ``function`` the name of the function, in the table's schema, that
    the block makes again itself. Raises WarehouseError naming what keeps the table from being
    dropped, or the view that does not fit the new one.
    """
    views = _load_views(connection, table, function)
    theirs = [view for view in views if view.table not in ours]
    grants = _load_grants(connection, [table, *(view.table for view in views)])
    for view in reversed(views):
        _drop_as_theirs(connection, view)
    _drop(connection, table, function)
    yield
    for view in theirs:
        _create_view(connection, view)
    for grant in grants:
        connection.execute(_grant(grant))


def _load_views(connection: PgConnection, table: Table, function: str) -> list[_View]:
    """The views that stand on a table or a function, directly or on others; those below first."""
    with connection.cursor(row_factory=class_row(_View)) as cursor:
        return cursor.execute(
            _VIEWS,
            {"schema": table.schema, "table": table.name, "function": function},
        ).fetchall()


_VIEWS = """
with recursive base as (
    select 'pg_class'::regclass as class_id, relation.oid as object_id
    from pg_class as relation
    where relation.relnamespace = to_regnamespace(quote_ident(%(schema)s))
        and relation.relname = %(table)s
    union all
    select 'pg_proc'::regclass, routine.oid
    from pg_proc as routine
    where routine.pronamespace = to_regnamespace(quote_ident(%(schema)s))
        and routine.proname = %(function)s
),
dependent as (
    select class_id, object_id, 0 as depth from base
    union
    select 'pg_class'::regclass, rule.ev_class, dependent.depth + 1
    from dependent
    join pg_depend as link
        on link.refclassid = dependent.class_id
        and link.refobjid = dependent.object_id
        and link.classid = 'pg_rewrite'::regclass
    join pg_rewrite as rule on rule.oid = link.objid
    where rule.ev_class <> dependent.object_id
)
select
    schema.nspname as schema,
    view.relname as name,
    view.relkind = 'm' as is_materialized,
    pg_get_viewdef(view.oid) as definition,
    coalesce(view.reloptions, '{}') as options,
    owner.rolname as owner,
    array(
        select pg_get_indexdef(indexrelid) from pg_index where indrelid = view.oid
    ) as indexes
from (
    select object_id, max(depth) as depth
    from dependent
    where class_id = 'pg_class'::regclass and depth > 0
    group by object_id
) as found
join pg_class as view on view.oid = found.object_id
join pg_namespace as schema on schema.oid = view.relnamespace
join pg_roles as owner on owner.oid = view.relowner
order by found.depth, view.oid
"""


def _load_grants(connection: PgConnection, relations: Sequence[Table]) -> list[_Grant]:
    """What the owners of relations have granted to others."""
    with connection.cursor(row_factory=class_row(_Grant)) as cursor:
        return cursor.execute(
            """
            select
                schema.nspname as schema,
                relation.relname as name,
                acl.privilege_type as privilege,
                role.rolname as grantee,
                acl.is_grantable
            from unnest(%s::text[], %s::text[]) as wanted (schema_name, relation_name)
            join pg_namespace as schema on schema.nspname = wanted.schema_name
            join pg_class as relation
                on relation.relnamespace = schema.oid and relation.relname = wanted.relation_name
            cross join lateral aclexplode(relation.relacl) as acl
            left join pg_roles as role on role.oid = acl.grantee
            where acl.grantee <> relation.relowner
            """,
            ([table.schema for table in relations], [table.name for table in relations]),
        ).fetchall()


def _drop_as_theirs(connection: PgConnection, view: _View) -> None:
    try:
        with connection.transaction():
            connection.execute(_drop_view(view))
    except psycopg.errors.InsufficientPrivilege:
        role = connection.execute("select current_user").fetchone()
        ours = role[0] if role else "we"
        raise WarehouseError(
            f"view {view.table} stands on a table that has to be built anew, and belongs to"
            f" {view.owner}: drop it first, or grant {view.owner} to {ours}"
        ) from None


def _drop(connection: PgConnection, table: Table, function: str) -> None:
    try:
        with connection.transaction():
            if function:
                connection.execute(
                    sql.SQL("drop function if exists {}").format(
                        sql.Identifier(table.schema, function)
                    )
                )
            connection.execute(sql.SQL("drop table if exists {}").format(identifier(table)))
    except psycopg.errors.DependentObjectsStillExist as error:
        detail = (error.diag.message_detail or "").split("\n")[0]
        raise WarehouseError(
            f"{table} has to be built anew, and {detail}; drop that first"
        ) from None


def _create_view(connection: PgConnection, view: _View) -> None:
    try:
        with connection.transaction():
            connection.execute(_view_ddl(view))
            for index in view.indexes:
                connection.execute(sql.SQL(cast("Any", index)))
            connection.execute(
                sql.SQL("alter {} {} owner to {}").format(
                    _kind(view), identifier(view.table), sql.Identifier(view.owner)
                )
            )
    except psycopg.Error as error:
        raise WarehouseError(
            f"view {view.table} does not fit the table that was built anew"
            f" ({error.diag.message_primary}); drop it, or let it fit"
        ) from None


def _view_ddl(view: _View) -> sql.Composed:
    """SQL: make a view as it was."""
    options = sql.SQL("")
    if view.options:
        options = sql.SQL(" with ({})").format(
            sql.SQL(", ").join(sql.SQL(cast("Any", option)) for option in view.options)
        )
    return sql.SQL("create {} {}{} as {}").format(
        _kind(view),
        identifier(view.table),
        options,
        sql.SQL(cast("Any", view.definition.rstrip(";"))),
    )


def _drop_view(view: _View) -> sql.Composed:
    return sql.SQL("drop {} {}").format(_kind(view), identifier(view.table))


def _kind(view: _View) -> sql.SQL:
    return sql.SQL("materialized view") if view.is_materialized else sql.SQL("view")


def _grant(grant: _Grant) -> sql.Composed:
    return sql.SQL("grant {} on {} to {}{}").format(
        sql.SQL(cast("Any", grant.privilege)),
        sql.Identifier(grant.schema, grant.name),
        sql.SQL("public") if grant.grantee is None else sql.Identifier(grant.grantee),
        sql.SQL(" with grant option") if grant.is_grantable else sql.SQL(""),
    )
