"""The formats of JSON schema, as PostgreSQL matches them."""

from __future__ import annotations

import pytest

from atlas_dagster.quality.formats import DAMAGED_TEXT, FORMATS
from atlas_dagster.warehouse import PgConnection

GOOD = {
    "email": ["a@b.io", "first.last+tag@sub.example.museum", "o'neil@example.com", "é@exämple.fr"],
    "idn-email": ["é@exämple.fr"],
    "uuid": ["0b9f8c3e-1111-4abc-8def-0123456789ab", "0B9F8C3E-1111-4ABC-8DEF-0123456789AB"],
    "uri": ["https://example.com/a?b=c#d", "mailto:a@b.io", "urn:isbn:0451450523"],
    "url": ["http://localhost:3000/"],
    "ipv4": ["0.0.0.0", "255.255.255.255", "192.168.1.1"],
    "ipv6": ["::1", "2001:db8::8a2e:370:7334", "::ffff:192.0.2.1", "fe80::1%eth0"],
    "hostname": ["localhost", "example.com", "a-b.example.com.", "x" * 63, "1.example"],
    "date": ["2024-02-29", "0001-01-01"],
    "date-time": [
        "2024-02-29T12:30:00Z",
        "2024-02-29 12:30:00.123456+02:00",
        "2024-02-29T23:59:60-0530",
        "2024-02-29T12:30",
    ],
    "time": ["23:59:59", "12:30", "12:30:00.5Z"],
}
BAD = {
    "email": ["a", "a@b", "a@@b.io", "a b@c.io", "a@b.io ", "@b.io", "a@b.c", "a@b.io\nx"],
    "idn-email": ["a"],
    "uuid": ["0b9f8c3e11114abc8def0123456789ab", "{0b9f8c3e-1111-4abc-8def-0123456789ab}", ""],
    "uri": ["example.com", "http:// a", "//x"],
    "url": ["www.example.com"],
    "ipv4": ["256.1.1.1", "1.2.3", "1.2.3.4.5", "1.2.3.4 "],
    "ipv6": ["1.2.3.4", "x::1", "12:30"],
    "hostname": ["-a.example", "a..b", "a b", "x" * 64, ".".join(["a" * 60] * 5)],
    "date": ["2024-13-01", "2024-2-1", "2024-01-32", "01/02/2024", "2024-01-01T00:00"],
    "date-time": ["2024-02-29", "2024-02-29T24:00:00Z", "2024-02-29T12", "now"],
    "time": ["25:00", "1:00", "noon"],
}


def matches(connection: PgConnection, value: str, pattern: str) -> bool:
    row = connection.execute("select %s::text ~ %s::text", (value, pattern)).fetchone()
    assert row is not None
    return bool(row[0])


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_matches_what_is_one_and_nothing_else(warehouse: PgConnection, name: str) -> None:
    refused = [value for value in GOOD[name] if not matches(warehouse, value, FORMATS[name])]
    taken = [value for value in BAD[name] if matches(warehouse, value, FORMATS[name])]
    assert (refused, taken) == ([], [])


@pytest.mark.parametrize("text", ["a\x01b", "\x1b[0m", "Caf\ufffd", "\x7f", "\x85", "\x0b"])
def test_damaged_text_is_seen(warehouse: PgConnection, text: str) -> None:
    assert matches(warehouse, text, DAMAGED_TEXT)


@pytest.mark.parametrize("text", ["", "a\tb\r\nc", "Côte d'Ivoire", "表", "\U0001f600", "\u00a0x"])
def test_any_text_of_people_is_whole(warehouse: PgConnection, text: str) -> None:
    assert not matches(warehouse, text, DAMAGED_TEXT)
