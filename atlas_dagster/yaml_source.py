"""YAML that an operator edits, read so that a mistake is named by its file, line and key."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from atlas_dagster.errors import ConfigError

_E = TypeVar("_E", bound=Enum)
_D = TypeVar("_D")

Scalar: TypeAlias = bool | int | float | str | None

_STANDARD_TAG = "tag:yaml.org,2002:"
# Dates stay the text they are, JSON having none; "value" is a plain `=`.
_TEXT_TAGS = ("str", "timestamp", "value")


@dataclass(frozen=True)
class Node:
    """One value of a YAML file, and where it stands; an absent value is null.

    ``path`` is written as in ``connections.faker.streams[1].sync_mode``. ``line`` counts from 1;
    it is the line of the key where there is one.
    """

    file: str
    path: str
    line: int
    value: Scalar | tuple[Node, ...] | Mapping[str, Node]

    @property
    def absent(self) -> bool:
        return self.value is None

    @property
    def where(self) -> str:
        """The place of this value, as errors begin with it: ``file:line: path``."""
        return f"{self.file}:{self.line}" + (f": {self.path}" if self.path else "")

    def error(self, message: str) -> ConfigError:
        """A ConfigError that names this value."""
        return ConfigError(f"{self.where}: {message}")

    def expected(self, what: str) -> ConfigError:
        """A ConfigError that says what should stand here, and what does."""
        return self.error(f"expected {what}; found {_description(self.value)}")

    def mapping(self) -> Mapping[str, Node]:
        """The entries of a mapping of any keys; none where it is absent."""
        if self.value is None:
            return {}
        if not isinstance(self.value, Mapping):
            raise self.expected("a mapping")
        return self.value

    def keys(self, *known: str) -> dict[str, Node]:
        """The value of each known key, absent ones too; raises ConfigError on any other key."""
        entries = self.mapping()
        for key, node in entries.items():
            if key not in known:
                raise node.error(f"unknown key; {suggestion(key, known)}")
        nothing = {
            key: Node(self.file, _key_path(self.path, key), self.line, None) for key in known
        }
        return {**nothing, **entries}

    def items(self) -> tuple[Node, ...]:
        """The items of a list; none where it is absent."""
        if self.value is None:
            return ()
        if not isinstance(self.value, tuple):
            raise self.expected("a list")
        return self.value

    def text(self, what: str = "a text") -> str:
        """A text that is not blank; ``what`` is how an error calls it."""
        if not isinstance(self.value, str) or not self.value.strip():
            number = isinstance(self.value, (bool, int, float))
            raise self.expected(f"{what} (in quotes)" if number else what)
        return self.value

    def choice(self, members: Iterable[_E], default: _D) -> _E | _D:
        """One of the members of an enumeration, by its value; ``default`` where it is absent."""
        if self.value is None:
            return default
        known = {member.value: member for member in members}
        if not isinstance(self.value, str) or self.value not in known:
            raise self.expected(f"one of {', '.join(known)}")
        return known[self.value]


def read_yaml(path: Path) -> Node:
    """Read a YAML 1.2 file; one that is missing or empty reads as null.

    Raises ConfigError where it is not valid YAML, has a key twice, or holds what JSON cannot.
    """
    file, text = read_text(path)
    return parse_yaml(file, text or "")


def read_text(path: Path) -> tuple[str, str | None]:
    """A file as the operator knows it, and its text; None where it is missing.

    Raises ConfigError where it cannot be read.
    """
    file = shown_path(path)
    try:
        return file, path.read_text("utf-8")
    except FileNotFoundError:
        return file, None
    except OSError as error:
        raise ConfigError(f"{file}: not readable: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file}: not valid UTF-8 at byte {error.start}") from None


def parse_yaml(file: str, text: str) -> Node:
    """The text of a file as `read_yaml` reads it."""
    try:
        composer: Any = YAML(typ="rt", pure=True)
        root: Any = composer.compose(text)
        return Node(file, "", 1, None) if root is None else _node(file, "", 1, root)
    except MarkedYAMLError as error:
        raise _syntax_error(file, text, error) from None
    except YAMLError as error:
        raise ConfigError(f"{file}: not valid YAML: {str(error).splitlines()[0]}") from None
    except RecursionError:
        raise ConfigError(f"{file}: nested too deep, or an alias that contains itself") from None


def suggestion(word: str, known: Iterable[str]) -> str:
    """What the writer of an unknown word may have meant."""
    words = list(known)
    close = difflib.get_close_matches(word, words, n=1)
    return f"did you mean {close[0]}?" if close else f"expected one of {', '.join(sorted(words))}"


def _node(file: str, path: str, line: int, source: Any) -> Node:
    """Make a Node of one of ruamel's nodes (``source``), which come without types."""
    value: Scalar | tuple[Node, ...] | Mapping[str, Node]
    match source.id:
        case "mapping":
            value = _entries(file, path, source.value)
        case "sequence":
            value = tuple(
                _node(file, f"{path}[{index}]", _line(item), item)
                for index, item in enumerate(source.value)
            )
        case _:
            value = _scalar(Node(file, path, line, source.value), str(source.tag))
    return Node(file, path, line, value)


def _entries(file: str, path: str, pairs: list[tuple[Any, Any]]) -> dict[str, Node]:
    entries: dict[str, Node] = {}
    for key, source in pairs:
        here = Node(file, path, _line(key), None)
        kind = str(key.tag).removeprefix(_STANDARD_TAG)
        if kind == "merge":
            raise here.error("merge keys (<<) are not YAML 1.2; repeat the keys")
        if kind not in _TEXT_TAGS:
            raise here.error(f"expected keys that are texts; put {key.value} in quotes")
        name = str(key.value)
        node = _node(file, _key_path(path, name), here.line, source)
        if name in entries:
            raise node.error(f"stands twice, first on line {entries[name].line}")
        entries[name] = node
    return entries


def _scalar(node: Node, tag: str) -> Scalar:
    """The value of a scalar, whose text ``node`` still holds."""
    text = str(node.value)
    kind = tag.removeprefix(_STANDARD_TAG)
    if kind in _TEXT_TAGS or (kind in ("int", "float") and "_" in text):
        return text
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() == "true"
    if kind not in ("int", "float"):
        raise node.error(f"the tag {tag} is not supported")
    try:
        number = int(text, 0) if kind == "int" else float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise node.error(f"expected a number that JSON can hold, or a text in quotes; found {text}")
    return number


def _syntax_error(file: str, text: str, error: MarkedYAMLError) -> ConfigError:
    details: Any = error
    line = int(details.problem_mark.line) if details.problem_mark else 0
    lines = text.splitlines()
    braces = line < len(lines) and re.search(r"[\[{].*[^\"']\$\{", lines[line])
    hint = "; inside { } and [ ] put ${…} in quotes" if braces else ""
    return ConfigError(f"{file}:{line + 1}: not valid YAML: {details.problem}{hint}")


def shown_path(path: Path) -> str:
    """A path as the operator knows it: from the working directory where it lies beneath."""
    try:
        return path.relative_to(Path.cwd()).as_posix()
    except ValueError:
        return str(path)


def _key_path(path: str, key: str) -> str:
    if not re.fullmatch(r"[\w-]+", key):
        return f'{path}["{key}"]'
    return f"{path}.{key}" if path else key


def _line(source: Any) -> int:
    return int(source.start_mark.line) + 1


def _description(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, tuple):
        return "a list"
    if isinstance(value, bool):
        return str(value).lower()
    shown = repr(value)
    return shown if len(shown) <= 80 else f"{shown[:77]}…"
