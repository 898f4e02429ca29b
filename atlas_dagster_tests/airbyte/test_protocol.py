from __future__ import annotations

import json

import pytest

from atlas_dagster.airbyte.protocol import decode, decode_rest, repair_json
from atlas_dagster.errors import ConnectorError


def line(data: bytes, more: bytes = b"") -> bytes:
    head = b'{"type":"RECORD","record":{"stream":"s","emitted_at":1,"data":'
    return head + data + more + b"}}\n"


def test_record_data_stay_the_bytes_that_were_sent() -> None:
    data = b'{"b": 1.50, "a":0.30000000000000004,"n":12345678901234567890123}'
    (message,) = decode(line(data))
    assert message.record is not None
    assert bytes(message.record.data) == data


def test_one_odd_line_does_not_change_its_neighbours() -> None:
    messages = decode(line(b'{"a": 1.50}') + line(b'{"a": NaN}') + b"log\n" + line(b'{"a": 2}'))
    data = [bytes(m.record.data) for m in messages if m.record]
    assert data == [b'{"a": 1.50}', b'{"a":null}', b'{"a": 2}']
    assert [m.type for m in messages] == ["RECORD", "RECORD", "TEXT", "RECORD"]


def test_changes_of_the_source_come_before_those_of_the_repair() -> None:
    sent = b',"meta":{"changes":[{"field":"x","change":"NULLED","reason":"SOURCE_X"}]}'
    (message,) = decode(line(b'{"a": Infinity}', sent))
    assert message.record is not None
    assert message.record.meta is not None
    assert [c["field"] for c in json.loads(bytes(message.record.meta.changes))] == ["x", "a"]


@pytest.mark.parametrize("namespace", [b"", b',"namespace":null', b',"namespace":""'])
def test_a_namespace_that_is_null_empty_or_absent_is_none(namespace: bytes) -> None:
    (message,) = decode(line(b"{}", namespace))
    assert message.record is not None
    assert (message.record.namespace or None) is None


def test_explicit_nulls_and_unknown_properties_are_allowed() -> None:
    (message,) = decode(
        b'{"type":"LOG","log":{"level":"INFO","message":"m","x":1},"record":null}\n'
    )
    assert message.log is not None
    assert message.log.message == "m"


@pytest.mark.parametrize(
    "broken",
    [
        line(b'{"a": ')[:-3] + b"\n",
        b'{"type": "RECORD", "record": {"data": {}}}\n',
        b'{"type" : "STATE", "state": {"type": "STREAM", "stream": {}}}\n',
        line(b'{"a":' + b"[" * 200_000 + b"]" * 200_000 + b"}"),
    ],
)
def test_a_record_or_state_that_cannot_be_read_is_an_error(broken: bytes) -> None:
    with pytest.raises(ConnectorError, match="broke the Airbyte protocol"):
        decode(broken)


def test_the_error_does_not_quote_the_record() -> None:
    with pytest.raises(ConnectorError) as raised:
        decode(line(b'{"email": "anna@example.org"')[:-3] + b"\n")
    assert "anna" not in str(raised.value)


def test_what_stands_after_the_last_newline() -> None:
    assert decode_rest(b" \n") == []
    assert [m.type for m in decode_rest(b"bye")] == ["TEXT"]
    with pytest.raises(ConnectorError, match="in the middle of a line"):
        decode_rest(line(b"{}")[:-1])


def test_repaired_json_keeps_every_digit() -> None:
    data = b'{"a": 1.10, "b": 123456789012345678901234567890.5, "c": 1e5, "d": [NaN, 1]}'
    repaired, changes = repair_json(data)
    assert repaired == b'{"a":1.10,"b":123456789012345678901234567890.5,"c":1E+5,"d":[null,1]}'
    assert [change.field for change in changes] == ["d"]
