"""``config/qalita.json``: which entry counts for what, and what is wrong with a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from atlas_dagster.errors import ConfigError
from atlas_dagster.qalita.mapping import QalitaMapping, Route, Subject, load_mapping

CONNECTION_ID = "b0b8a0b5-3b4c-4f0e-9a39-2d5a1b1e0c11"
SUBJECT = Subject(CONNECTION_ID, "web_shop", "Web Shop", "orders_a", "Orders (a)")
IDS = {"source_id": 1, "source_version_id": 2, "pack_id": 3, "pack_version_id": 4}


def load(directory: Path, text: str | object) -> QalitaMapping:
    file = directory / "qalita.json"
    file.write_text(text if isinstance(text, str) else json.dumps(text, indent="\t"))
    return load_mapping(directory)


def ids(route: Route | None) -> tuple[int | None, ...] | None:
    if route is None:
        return None
    return route.source_id, route.source_version_id, route.pack_id, route.pack_version_id


@pytest.mark.parametrize("text", [None, "", " \n", "{}", '{"connection_map": {}, "default": {}}'])
def test_without_entries_nothing_is_mapped(tmp_path: Path, text: str | None) -> None:
    mapping = load_mapping(tmp_path) if text is None else load(tmp_path, text)
    assert mapping.route(SUBJECT) is None


def test_the_file_of_the_adapter_works_as_it_is(tmp_path: Path) -> None:
    other = dict.fromkeys(IDS, 9)
    mapping = load(tmp_path, {"connection_map": {CONNECTION_ID: IDS}, "default": other})
    assert ids(mapping.route(SUBJECT)) == (1, 2, 3, 4)
    assert ids(mapping.route(Subject("another", "x", "x"))) == (9, 9, 9, 9)


KEYS = [
    f"{CONNECTION_ID}/orders_a",
    f"{CONNECTION_ID}/Orders (a)",
    "web_shop/orders_a",
    "web_shop/Orders (a)",
    "Web Shop/orders_a",
    "Web Shop/Orders (a)",
    CONNECTION_ID,
    "web_shop",
    "Web Shop",
]


def test_the_most_telling_key_counts(tmp_path: Path) -> None:
    for first in range(len(KEYS)):
        entries = {key: {**IDS, "source_id": KEYS.index(key) + 1} for key in KEYS[first:]}
        shuffled = dict(reversed(entries.items()))
        mapping = load(tmp_path, {"connection_map": shuffled, "default": {"pack_id": 7}})
        route = mapping.route(SUBJECT)
        assert route
        assert route.source_id == first + 1
        assert mapping.unused([SUBJECT]) == []


def test_a_connection_as_a_whole_is_not_one_of_its_streams(tmp_path: Path) -> None:
    mapping = load(tmp_path, {"connection_map": {"web_shop/orders_a": IDS}})
    assert mapping.route(Subject(CONNECTION_ID, "web_shop", "Web Shop")) is None
    assert mapping.unused([Subject(CONNECTION_ID, "web_shop", "Web Shop")]) == ["web_shop/orders_a"]


def test_what_an_entry_leaves_out_of_the_pack_the_default_says(tmp_path: Path) -> None:
    default = {"source_id": 7, "source_version_id": 8, "pack_id": 30, "pack_version_id": 40}
    entries = {"a": {"source_id": 1}, "b": {"source_id": 1, "pack_id": 3}}
    mapping = load(tmp_path, {"connection_map": entries, "default": default})
    assert ids(mapping.route(Subject("1", "a", "a"))) == (1, None, 30, 40)
    assert ids(mapping.route(Subject("2", "b", "b"))) == (1, None, 3, None)


def test_ids_may_be_texts_and_keys_any_characters(tmp_path: Path) -> None:
    text = '{"connection_map": {"caf\\u00e9 \\ud83d\\ude00": {"source_id": "12", "pack_id": 3}}}'
    route = load(tmp_path, text).route(Subject("1", "cafe", "café 😀"))
    assert ids(route) == (12, None, 3, None)


def test_a_default_may_name_the_pack_only(tmp_path: Path) -> None:
    route = load(tmp_path, {"default": {"pack_id": 3}}).route(SUBJECT)
    assert ids(route) == (None, None, 3, None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{\n"default": {]}', "qalita.json:2: not valid JSON: Expecting property name"),
        ('{"default": NaN}', "qalita.json: not valid JSON: NaN, Infinity, or nested too deep"),
        ("[]", "qalita.json:1: expected a mapping; found a list"),
        ('{\n"conection_map": {}}', "qalita.json:2: conection_map: unknown key; did you mean"),
        ('{"connection_map": []}', "qalita.json:1: connection_map: expected a mapping"),
        (
            '{"connection_map": {\n"a": {"source": 1}}}',
            "qalita.json:2: connection_map.a.source: unknown key; did you mean source_id?",
        ),
        (
            '{"connection_map": {\n"a/b": {"pack_id": 1}}}',
            'qalita.json:2: connection_map["a/b"]: expected a source_id',
        ),
        (
            '{"connection_map": {"a": {"source_id": 1}}}',
            "qalita.json:1: connection_map.a: expected a pack_id, here or in default",
        ),
        (
            '{"connection_map": {"a": {"source_id": 0, "pack_id": 1}}}',
            "connection_map.a.source_id: expected an id, a whole number above 0; found 0",
        ),
        ('{"default": {"pack_id": true}}', "default.pack_id: expected an id"),
        ('{"default": {"pack_id": 1.5}}', "default.pack_id: expected an id"),
        ('{"default": {"pack_id": "x"}}', "default.pack_id: expected an id"),
        ('{"default": {"pack_id": 9223372036854775808}}', "default.pack_id: expected an id"),
        ('{"default": {"source_id": 1}}', "qalita.json:1: default: expected a pack_id"),
        (
            '{"default": {"pack_id": 1, "source_version_id": 1}}',
            "default: expected a source_id beside source_version_id",
        ),
        (
            '{"connection_map": {\n"a": {"source_id": 1, "pack_id": 1},\n"a": {}}}',
            "qalita.json:3: connection_map.a: stands twice, first on line 2",
        ),
        ('{"connection_map": {" ": {}}}', "expected a connection's id or name"),
    ],
)
def test_a_mistake_is_named_by_file_line_and_key(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    assert said in str(caught.value)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "qalita.json").write_bytes(b"\xff\xfe{}")
    with pytest.raises(ConfigError, match=r"qalita\.json: not valid UTF-8"):
        load_mapping(tmp_path)


@pytest.mark.parametrize(
    ("keys", "own"),
    [
        (["web_shop/orders_a"], True),
        ([f"{CONNECTION_ID}/Orders (a)", "web_shop"], True),
        (["web_shop"], False),
        ([], False),
    ],
)
def test_a_source_is_a_streams_own_where_its_entry_names_the_stream(
    tmp_path: Path, keys: list[str], own: bool
) -> None:
    entries = dict.fromkeys(keys, IDS)
    mapping = load(tmp_path, {"connection_map": entries, "default": IDS})
    assert mapping.is_own(SUBJECT) is own


def test_content_says_in_which_form_it_is_sent(tmp_path: Path) -> None:
    assert not load(tmp_path, {"content": "packs"}).sends_adapter_form
    assert load(tmp_path, {"content": "adapter"}).sends_adapter_form
    with pytest.raises(ConfigError, match=r"qalita\.json:2: content: expected packs or adapter"):
        load(tmp_path, {"content": "both"})


def test_the_example_is_a_file_that_works(tmp_path: Path) -> None:
    example = Path(__file__).parents[2] / "config" / "qalita.example.json"
    mapping = load(tmp_path, example.read_text())
    assert ids(mapping.route(Subject("x", "shop", "Shop", "a", "a"))) == (12, None, 4, None)
    assert mapping.is_own(Subject("x", "crm", "CRM", "people", "people"))
