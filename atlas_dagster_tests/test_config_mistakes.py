"""How a mistake in config/connections.yaml or config/atlas.yaml reads: file, line, key, reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from atlas_dagster.config import load_connections
from atlas_dagster.errors import ConfigError
from atlas_dagster.rules import load_rules
from atlas_dagster.settings import Settings, load_settings


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config").mkdir()
    return load_settings({})


def in_connection(*lines: str) -> str:
    """A connection whose keys after ``source`` (line 3) are these lines, from line 4 on."""
    body = "".join(f"    {line}\n" for line in lines)
    return f"connections:\n  faker:\n    source: airbyte-source-faker==7.2.1\n{body}"


def in_stream(*lines: str) -> str:
    """A connection whose one stream is a mapping of these lines, from line 5 on."""
    return in_connection("streams:", f"  - {lines[0]}", *(f"    {line}" for line in lines[1:]))


SOURCE = "a package and its exact version, such as airbyte-source-faker==7.2.1"
FAKER = "connections.faker"
STREAM = "connections.faker.streams[0]"
STREAM_KEYS = "cursor, destination_sync_mode, fields, name, namespace, primary_key, sync_mode"

CONNECTION_MISTAKES = {
    "no mapping": ("- faker\n", "1: expected a mapping; found a list"),
    "unknown top-level key": (
        "conections: {}\n",
        "1: conections: unknown key; did you mean connections?",
    ),
    "connections as a list": (
        "connections: [a]\n",
        "1: connections: expected a mapping; found a list",
    ),
    "connection without keys": (
        "connections:\n  faker:\n",
        f"2: {FAKER}.source: expected {SOURCE}; found nothing",
    ),
    "misspelt key": (
        in_connection("prefx: x"),
        f"4: {FAKER}.prefx: unknown key; did you mean prefix?",
    ),
    "unknown key": (
        in_connection("zzz: x"),
        f"4: {FAKER}.zzz: unknown key;"
        " expected one of config, executable, namespace, prefix, source, streams",
    ),
    "blank name": ('connections:\n  "":\n', '2: connections[""]: expected a name'),
    "no version": (
        "connections: {faker: {source: airbyte-source-faker}}",
        f"1: {FAKER}.source: expected {SOURCE}; found 'airbyte-source-faker'",
    ),
    "a range of versions": (
        "connections: {faker: {source: airbyte-source-faker>=7}}",
        f"1: {FAKER}.source: expected {SOURCE}; found 'airbyte-source-faker>=7'",
    ),
    "any version": (
        "connections: {faker: {source: airbyte-source-faker==7.*}}",
        f"1: {FAKER}.source: expected {SOURCE}; found 'airbyte-source-faker==7.*'",
    ),
    "an option for pip": (
        "connections: {faker: {source: --pre==1}}",
        f"1: {FAKER}.source: expected {SOURCE}; found '--pre==1'",
    ),
    "a path as executable": (
        in_connection("executable: /bin/sh", "streams: [a]"),
        f"4: {FAKER}.executable: expected the name of a program that the package installs,"
        " without a path; found '/bin/sh'",
    ),
    "config as a text": (
        in_connection("config: x", "streams: [a]"),
        f"4: {FAKER}.config: expected a mapping; found 'x'",
    ),
    "a schema of ours": (
        in_connection("namespace: chart", "streams: [a]"),
        f"4: {FAKER}.namespace: the schema chart is not for landing tables; name another",
    ),
    "a schema of PostgreSQL": (
        in_connection("namespace: pg_x", "streams: [a]"),
        f"4: {FAKER}.namespace: the schema pg_x is not for landing tables; name another",
    ),
    "a number as prefix": (
        in_connection("prefix: 7", "streams: [a]"),
        f"4: {FAKER}.prefix: expected a text (in quotes); found 7",
    ),
    "no streams": (
        in_connection(),
        f"2: {FAKER}.streams: expected a list of at least one stream; found nothing",
    ),
    "empty streams": (
        in_connection("streams: []"),
        f"4: {FAKER}.streams: expected a list of at least one stream; found a list",
    ),
    "streams as a mapping": (
        in_connection("streams: {users: {}}"),
        f"4: {FAKER}.streams: expected a list; found a mapping",
    ),
    "a number as stream": (
        in_connection("streams:", "  - users", "  - 2024"),
        f"6: {FAKER}.streams[1]: expected the name of a stream, or a mapping (in quotes);"
        " found 2024",
    ),
    "a stream twice": (
        in_connection("streams:", "  - users", "  - name: users"),
        f"6: {FAKER}.streams[1]: the stream 'users' stands twice",
    ),
    "a stream without a name": (
        in_stream("sync_mode: incremental"),
        f"5: {STREAM}.name: expected the name of a stream; found nothing",
    ),
    "misspelt stream key": (
        in_stream("name: users", "sync_mod: incremental"),
        f"6: {STREAM}.sync_mod: unknown key; did you mean sync_mode?",
    ),
    "unknown stream key": (
        in_stream("name: users", "zzz: 1"),
        f"6: {STREAM}.zzz: unknown key; expected one of {STREAM_KEYS}",
    ),
    "misspelt sync mode": (
        in_stream("name: users", "sync_mode: incrementl"),
        f"6: {STREAM}.sync_mode: expected one of full_refresh, incremental; found 'incrementl'",
    ),
    "unknown destination mode": (
        in_stream("name: users", "destination_sync_mode: upsert"),
        f"6: {STREAM}.destination_sync_mode:"
        " expected one of append, overwrite, append_dedup, overwrite_dedup; found 'upsert'",
    ),
    "incremental that overwrites": (
        in_stream("name: a", "sync_mode: incremental", "destination_sync_mode: overwrite"),
        f"7: {STREAM}.destination_sync_mode:"
        " expected one of append_dedup, append with sync_mode incremental; found 'overwrite'",
    ),
    "full refresh that appends and dedups": (
        in_stream("name: a", "sync_mode: full_refresh", "destination_sync_mode: append_dedup"),
        f"7: {STREAM}.destination_sync_mode: expected one of overwrite, overwrite_dedup, append"
        " with sync_mode full_refresh; found 'append_dedup'",
    ),
    "a mapping as cursor": (
        in_stream("name: users", "cursor: {a: b}"),
        f"6: {STREAM}.cursor: expected the name of a field, or a list of names; found a mapping",
    ),
    "an empty key": (
        in_stream("name: users", "primary_key: []"),
        f"6: {STREAM}.primary_key: expected at least one name; found an empty list",
    ),
    "null in a key": (
        in_stream("name: users", "primary_key: [id, ~]"),
        f"6: {STREAM}.primary_key[1]:"
        " expected the name of a field, or a list of names; found nothing",
    ),
    "a key part twice": (
        in_stream("name: users", "primary_key: [id, [id]]"),
        f"6: {STREAM}.primary_key[1]: id stands twice",
    ),
    "a field twice": (
        in_stream("name: users", "fields: [id, id]"),
        f"6: {STREAM}.fields[1]: id stands twice",
    ),
    "fields without the primary key": (
        in_stream("name: users", "primary_key: [id, tenant]", "fields: [id]"),
        f"7: {STREAM}.fields: expected 'tenant' among them: it is in primary_key",
    ),
    "fields without the cursor": (
        in_stream("name: users", "cursor: updated_at", "fields: [id]"),
        f"7: {STREAM}.fields: expected 'updated_at' among them: it is in cursor",
    ),
    "a connection twice": (
        "connections:\n  a: {}\n  a: {}\n",
        "3: connections.a: stands twice, first on line 2",
    ),
    "two connections with one slug": (
        "connections:\n"
        "  My Shop: {source: a==1, streams: [x]}\n"
        "  my-shop: {source: a==1, streams: [x]}\n",
        "3: connections.my-shop: has the slug my_shop, as 'My Shop' has; rename one of them",
    ),
    "two connections with one table": (
        "connections:\n"
        "  a: {source: a==1, streams: [x], prefix: ''}\n"
        "  b: {source: b==1, streams: [y, x], prefix: ''}\n",
        "3: connections.b.streams[1]: would land in landing.x, as connections.a.streams[0] does;"
        " split them over two connections, or set another prefix",
    ),
    "two namespaces with one table": (
        in_connection("streams:", "  - {name: a, namespace: x}", "  - {name: a, namespace: y}"),
        f"6: {FAKER}.streams[1]: would land in landing.faker__a, as {STREAM} does;"
        " split them over two connections, or set another prefix",
    ),
}


@pytest.mark.parametrize(
    ("text", "message"), CONNECTION_MISTAKES.values(), ids=CONNECTION_MISTAKES.keys()
)
def test_a_mistake_in_connections_yaml(settings: Settings, text: str, message: str) -> None:
    settings.connections_file.write_text(text, "utf-8")
    with pytest.raises(ConfigError) as caught:
        load_connections(settings)
    assert str(caught.value) == f"config/connections.yaml:{message}"


ATLAS_CONNECTION_KEYS = "cron, owners, pii, streams, timezone"

RULE_MISTAKES = {
    "unknown connection": (
        "fakr: {}",
        "2: connections.fakr: unknown connection; did you mean faker?",
    ),
    "one connection in two spellings": (
        "faker: {}\n  Faker: {}",
        "3: connections.Faker: has the slug faker like another; keep one of them",
    ),
    "unknown key": (
        "faker: {zzz: 1}",
        f"2: connections.faker.zzz: unknown key; expected one of {ATLAS_CONNECTION_KEYS}",
    ),
    "a cron of six fields": (
        'faker: {cron: "0 0 * * * *"}',
        "2: connections.faker.cron: expected a cron expression of 5 fields; found '0 0 * * * *'",
    ),
    "a cron out of range": (
        'faker: {cron: "61 * * * *"}',
        "2: connections.faker.cron: expected a cron expression of 5 fields; found '61 * * * *'",
    ),
    "a number as cron": (
        "faker: {cron: 5}",
        "2: connections.faker.cron: expected a cron expression of 5 fields (in quotes); found 5",
    ),
    "unknown time zone": (
        "faker: {timezone: Paris}",
        "2: connections.faker.timezone: expected a time zone such as Europe/Paris; found 'Paris'",
    ),
    "a region as time zone": (
        "faker: {timezone: Europe}",
        "2: connections.faker.timezone: expected a time zone such as Europe/Paris; found 'Europe'",
    ),
    "a path as time zone": (
        "faker: {timezone: ../x}",
        "2: connections.faker.timezone: expected a time zone such as Europe/Paris; found '../x'",
    ),
    "an owner that Dagster refuses": (
        "faker: {owners: [ann@example.com, bob]}",
        "2: connections.faker.owners[1]: expected an e-mail address or team:<name>; found 'bob'",
    ),
    "owners as a text": (
        "faker: {owners: ann@example.com}",
        "2: connections.faker.owners: expected a list; found 'ann@example.com'",
    ),
    "unknown stream": (
        "faker: {streams: {user: {}}}",
        "2: connections.faker.streams.user: unknown stream; did you mean users?",
    ),
    "unknown stream key": (
        "faker: {streams: {users: {ignor: [a]}}}",
        "2: connections.faker.streams.users.ignor: unknown key; did you mean ignore?",
    ),
    "ignore as a text": (
        "faker: {streams: {users: {ignore: a}}}",
        "2: connections.faker.streams.users.ignore: expected a list; found 'a'",
    ),
    "a time column that is no name": (
        "faker: {streams: {users: {time_column: [a]}}}",
        "2: connections.faker.streams.users.time_column:"
        " expected the name of a field; found a list",
    ),
    "a share above one": (
        "faker: {streams: {users: {most_vanishing: 50}}}",
        "2: connections.faker.streams.users.most_vanishing: expected a share from 0 to 1; found 50",
    ),
    "a retention of no days": (
        "faker: {streams: {users: {retention_days: 0}}}",
        "2: connections.faker.streams.users.retention_days:"
        " expected a whole number of days, 1 or more; found 0",
    ),
    "a retention of half a day": (
        "faker: {streams: {users: {retention_days: 0.5}}}",
        "2: connections.faker.streams.users.retention_days:"
        " expected a whole number of days, 1 or more; found 0.5",
    ),
    "a retention as a text": (
        "faker: {streams: {users: {retention_days: 30 days}}}",
        "2: connections.faker.streams.users.retention_days:"
        " expected a whole number of days, 1 or more; found '30 days'",
    ),
    "a retention that is true": (
        "faker: {streams: {users: {retention_days: true}}}",
        "2: connections.faker.streams.users.retention_days:"
        " expected a whole number of days, 1 or more; found true",
    ),
    "an ignored key": (
        "faker: {streams: {users: {natural_key: id, ignore: [id]}}}",
        "2: connections.faker.streams.users.ignore: 'id' is in natural_key: it cannot be ignored",
    ),
}


@pytest.mark.parametrize(("body", "message"), RULE_MISTAKES.values(), ids=RULE_MISTAKES.keys())
def test_a_mistake_in_atlas_yaml(settings: Settings, body: str, message: str) -> None:
    settings.connections_file.write_text(in_connection("streams: [users, products]"), "utf-8")
    settings.atlas_file.write_text(f"connections:\n  {body}\n", "utf-8")
    with pytest.raises(ConfigError) as caught:
        load_rules(settings)
    assert str(caught.value) == f"config/atlas.yaml:{message}"
