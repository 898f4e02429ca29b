"""JSON values as text that is equal exactly where the values are: the ground of keys and hashes.

PostgreSQL's own ``jsonb_hash_extended`` will not do: it takes 5 for -5, ``[0, …]`` of 64 elements
for ``[1, …]``, and ``{"a": {"x": 1}, "y": 2}`` for ``{"a": {"x": 1, "y": 2}}``.
"""

from __future__ import annotations

from psycopg import sql

# Cheaper to find than to mend: a number that may end in zeros behind its point.
_SUSPECT = r"""\.[0-9]*0[],}]"""

# Text in quotes is stepped over; the zeros at the end of a fraction go.
_ZEROS = r"""("(?:[^"\\]|\\.)*")|(\.[0-9]*[1-9])0+(?![0-9])|\.0+(?![0-9])"""

# A text that would read like another value's canonical form.
_AMBIGUOUS = r"""^(-?[0-9]+(\.[0-9]+)?$|true$|false$|["\[{])"""


def canonical_text(value: sql.Composable) -> sql.Composed:
    """SQL: a jsonb value as text; 1 is 1.0, null fields of objects do not count.

    ``value`` is a jsonb expression that is cheap to repeat and never JSON null.
    """
    return sql.SQL(
        """case jsonb_typeof({value})
                    when 'number' then trim_scale({value}::numeric)::text
                    when 'string' then {value}::text
                    when 'boolean' then {value}::text
                    else case
                        when {value}::text ~ {suspect} then regexp_replace(
                            jsonb_strip_nulls({value})::text, {zeros}, '\\1\\2', 'g'
                        )
                        else jsonb_strip_nulls({value})::text
                    end
                end"""
    ).format(value=value, zeros=sql.Literal(_ZEROS), suspect=sql.Literal(_SUSPECT))


def readable_text(value: sql.Composable) -> sql.Composed:
    """SQL: the same for people: a text without its quotes, where nothing else reads like it."""
    return sql.SQL(
        """case
                    when jsonb_typeof({value}) = 'string' and {value} #>> '{{}}' !~ {ambiguous}
                    then {value} #>> '{{}}'
                    else {canonical}
                end"""
    ).format(value=value, ambiguous=sql.Literal(_AMBIGUOUS), canonical=canonical_text(value))
