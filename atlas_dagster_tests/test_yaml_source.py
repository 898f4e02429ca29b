"""YAML read with positions: what values become, and how a mistake in the file is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from atlas_dagster.errors import ConfigError
from atlas_dagster.yaml_source import Node, read_yaml


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "a.yaml"


def read(file: Path, text: str) -> Node:
    file.write_text(text, "utf-8")
    return read_yaml(file)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("text", "text"),
        ("NO", "NO"),
        ("on", "on"),
        ("true", True),
        ("12", 12),
        ("-1.5", -1.5),
        ("0x10", 16),
        ("1_000", "1_000"),
        ("'00501'", "00501"),
        ("2024-01-01", "2024-01-01"),
        ("2024-01-01T00:00:00Z", "2024-01-01T00:00:00Z"),
        ("${NAME:-1000}", "${NAME:-1000}"),
        ("12:30", "12:30"),
        ("=", "="),
        ("null", None),
        ("", None),
        ('""', ""),
    ],
)
def test_scalars_are_what_yaml_1_2_and_json_make_of_them(
    file: Path, written: str, value: object
) -> None:
    node = read(file, f"key: {written}\n").mapping()["key"]
    assert node.value == value
    assert type(node.value) is type(value)


def test_a_value_knows_its_path_and_line(file: Path) -> None:
    root = read(file, 'top:\n  "odd key":\n    - a\n    - inner: b\n')
    odd = root.mapping()["top"].mapping()["odd key"]
    inner = odd.items()[1].mapping()["inner"]
    assert (odd.path, odd.line) == ('top["odd key"]', 2)
    assert (inner.path, inner.line) == ('top["odd key"][1].inner', 4)


def test_an_alias_repeats_what_it_names(file: Path) -> None:
    root = read(file, "a: &list [x]\nb: *list\n")
    assert [item.value for item in root.mapping()["b"].items()] == ["x"]


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "---\n"])
def test_an_empty_file_is_null(file: Path, text: str) -> None:
    assert read(file, text).absent


def test_a_missing_file_is_null(file: Path) -> None:
    assert read_yaml(file).absent


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: [\n", "a.yaml:3: not valid YAML: expected the node content, but found"),
        ("a:\n\t- b\n", "a.yaml:2: not valid YAML: found character '\\t' that cannot start any"),
        ("a: 1\n---\nb: 2\n", "a.yaml:2: not valid YAML: but found another document"),
        (
            "a: 1\nb: {c: ${NAME}}\n",
            "a.yaml:2: not valid YAML: expected ',' or '}', but got '{';"
            " inside { } and [ ] put ${…} in quotes",
        ),
        ("a: \x01\n", "a.yaml: not valid YAML: unacceptable character #x0001"),
        ("a:\n  b: 1\n  b: 2\n", "a.yaml:3: a.b: stands twice, first on line 2"),
        ("a:\n  1: x\n", "a.yaml:2: a: expected keys that are texts; put 1 in quotes"),
        ("a: &d {}\nb:\n  <<: *d\n", "a.yaml:3: b: merge keys (<<) are not YAML 1.2; repeat"),
        ("a: !secret b\n", "a.yaml:1: a: the tag !secret is not supported"),
        (
            "zip: 00501\n",
            "a.yaml:1: zip: expected a number that JSON can hold, or a text in quotes; found 00501",
        ),
        ("a: .nan\n", "a.yaml:1: a: expected a number that JSON can hold"),
        ("a: 1e999\n", "a.yaml:1: a: expected a number that JSON can hold"),
        ("a: &a [*a]\n", "a.yaml: nested too deep, or an alias that contains itself"),
    ],
)
def test_a_file_that_is_wrong_is_named_with_its_line(file: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(file, text)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_utf_8_or_not_a_file_is_named(file: Path) -> None:
    file.write_bytes(b"a: \xff\n")
    with pytest.raises(ConfigError, match=r"^a\.yaml: not valid UTF-8 at byte 3$"):
        read_yaml(file)
    with pytest.raises(ConfigError, match="not readable: Is a directory"):
        read_yaml(file.parent)


def test_a_file_outside_the_working_directory_is_named_in_full(tmp_path: Path) -> None:
    file = tmp_path / "b.yaml"
    with pytest.raises(ConfigError) as caught:
        read(file, "a: [\n")
    assert str(caught.value).startswith(f"{file}:2: ")
