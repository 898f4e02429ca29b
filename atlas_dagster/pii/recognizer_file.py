"""`config/pii_recognizers.yaml`: recognizers of one's own, in Presidio's YAML format."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from atlas_dagster.yaml_source import Node, read_yaml, suggestion

LANGUAGE = "en"
"""The language that values are analysed as: Presidio's patterns are all there in it."""

_COMMON = (
    "name",
    "type",
    "enabled",
    "supported_language",
    "supported_languages",
    "supported_entity",
    "supported_entities",
    "context",
    "score_thresholds",
    "country_code",
)
_CUSTOM = (*_COMMON, "patterns", "deny_list", "deny_list_score")
_PATTERN = ("name", "regex", "score")
_NOT_FOR_FILES = ("patterns", "kwargs")


@dataclass(frozen=True)
class OwnRecognizers:
    """What the file says: recognizers to add, and names of Presidio's that they stand for.

    A predefined recognizer that the file names is as the file says, or not there if it is
    disabled.
    """

    recognizers: tuple[Any, ...] = ()
    replaced: frozenset[str] = frozenset()


def read_recognizers(file: Path) -> OwnRecognizers:
    """The recognizers of a file; none where it is missing.

    Raises ConfigError naming file, line and key: of an expression that does not compile, a key or
    a class that does not exist, a recognizer that needs a model or a service.
    """
    root = read_yaml(file)
    if root.absent:
        return OwnRecognizers()
    keys = root.keys("recognizers", "supported_languages", "global_regex_flags")
    _refuse_other_languages(keys["supported_languages"])
    flags = _flags(keys["global_regex_flags"])
    recognizers: list[Any] = []
    replaced: set[str] = set()
    names: dict[str, Node] = {}
    for node in keys["recognizers"].items():
        entry = _entry(node)
        name = entry["name"].text("the name of a recognizer")
        if name in names:
            raise entry["name"].error(f"stands twice, first on line {names[name].line}")
        names[name] = entry["name"]
        custom = "patterns" in entry or "deny_list" in entry
        if _kind(entry, custom) == "predefined":
            replaced.add(_class_name(entry))
            made = _predefined(node, entry, flags)
        else:
            made = _custom(node, entry, flags)
        if made is not None:
            recognizers.append(made)
    return OwnRecognizers(tuple(recognizers), frozenset(replaced))


def _entry(node: Node) -> Mapping[str, Node]:
    if isinstance(node.value, str):
        return {"name": node}
    entry = node.mapping()
    if "name" not in entry:
        raise node.error("expected a name")
    return entry


def _kind(entry: Mapping[str, Node], custom: bool) -> str:
    node = entry.get("type")
    if node is None or node.absent:
        return "custom" if custom else "predefined"
    if node.value not in ("custom", "predefined"):
        raise node.expected("custom or predefined")
    if custom and node.value == "predefined":
        raise node.error("a predefined recognizer has its own patterns; make it custom")
    return str(node.value)


def _class_name(entry: Mapping[str, Node]) -> str:
    node = entry.get("class_name") or entry["name"]
    return node.text("the name of a class")


def _custom(node: Node, entry: Mapping[str, Node], flags: int) -> Any:
    keys = node.keys(*_CUSTOM)
    if _presidio_class(str(entry["name"].value)) is not None:
        raise keys["name"].error("is the name of one of Presidio's own; choose another")
    if keys["supported_entity"].absent and keys["supported_entities"].absent:
        raise node.error("expected supported_entity: what it finds")
    if keys["patterns"].absent and keys["deny_list"].absent:
        raise node.error("expected patterns, or a deny_list")
    for pattern in keys["patterns"].items():
        _check_pattern(pattern, flags)
    for word in keys["deny_list"].items():
        word.text("a word")
    _check_score(keys["deny_list_score"])
    return _made(node, entry, flags, "custom")


def _check_pattern(node: Node, flags: int) -> None:
    import regex

    keys = node.keys(*_PATTERN)
    keys["name"].text("the name of a pattern")
    expression = keys["regex"].text("a regular expression")
    try:
        regex.compile(expression, flags)
    except regex.error as error:
        raise keys["regex"].error(f"is no regular expression: {error}") from None
    if keys["score"].absent:
        raise keys["score"].expected("a score from 0 to 1")
    _check_score(keys["score"])


def _check_score(node: Node) -> None:
    value = node.value
    if node.absent:
        return
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise node.expected("a score from 0 to 1")


def _predefined(node: Node, entry: Mapping[str, Node], flags: int) -> Any:
    from presidio_analyzer import PatternRecognizer
    from presidio_analyzer.predefined_recognizers import PhoneRecognizer

    name = _class_name(entry)
    found = _presidio_class(name)
    named = entry.get("class_name") or entry["name"]
    if found is None:
        raise named.error(f"Presidio has no such recognizer; {suggestion(name, _known_classes())}")
    if not issubclass(found, (PatternRecognizer, PhoneRecognizer)):
        raise named.error("runs a model or asks a service; only recognizers of patterns are run")
    if isinstance(node.value, Mapping):
        parameters = inspect.signature(cast("Any", found)).parameters
        taken = [parameter for parameter in parameters if parameter not in _NOT_FOR_FILES]
        node.keys(*dict.fromkeys((*_COMMON, "class_name", *taken)))
    return _made(node, entry, flags, "predefined")


def _made(node: Node, entry: Mapping[str, Node], flags: int, kind: str) -> Any:
    """The recognizer as Presidio makes it out of its entry; None where it is disabled."""
    from presidio_analyzer.recognizer_registry.recognizers_loader_utils import (
        RecognizerListLoader,
    )

    enabled = entry.get("enabled")
    if enabled is not None and not isinstance(enabled.value, bool):
        raise enabled.expected("true or false")
    for key in ("supported_language", "supported_languages"):
        if key in entry:
            _refuse_other_languages(entry[key])
    if enabled is not None and enabled.value is False:
        return None
    configuration = {key: _plain(value) for key, value in entry.items()}
    configuration.pop("supported_language", None)
    named: Any = (configuration.get("supported_languages") or [None])[0]
    context = cast("dict[str, Any]", named).get("context") if isinstance(named, dict) else None
    configuration["type"] = kind
    configuration["supported_languages"] = [
        # A list of names would make Presidio forget the words of context beside it.
        {"language": LANGUAGE, "context": context or configuration.get("context")}
    ]
    try:
        (made,) = RecognizerListLoader.get(
            cast("Any", [configuration]), [LANGUAGE], global_regex_flags=flags
        )
    except (TypeError, ValueError, AttributeError) as error:
        raise node.error(f"Presidio refuses it: {error}") from None
    return made


def _refuse_other_languages(node: Node) -> None:
    """A language may be given by itself, in a list, or as a mapping with context words."""
    languages = [node] if isinstance(node.value, str) else list(node.items())
    for language in languages:
        named = language.mapping().get("language", language) if _is_mapping(language) else language
        if named.value != LANGUAGE:
            raise named.error(f"values are analysed as {LANGUAGE}; write {LANGUAGE}")


def _is_mapping(node: Node) -> bool:
    return isinstance(node.value, Mapping)


def _flags(node: Node) -> int:
    import regex

    if node.absent:
        return int(regex.DOTALL | regex.MULTILINE | regex.IGNORECASE)
    if isinstance(node.value, bool) or not isinstance(node.value, int) or node.value < 0:
        raise node.expected("the flags of Python's regex, as a number: 26")
    return node.value


def _presidio_class(name: str) -> Any:
    return _classes().get(name)


def _known_classes() -> list[str]:
    from presidio_analyzer import PatternRecognizer

    return [name for name, found in _classes().items() if issubclass(found, PatternRecognizer)]


def _classes() -> dict[str, Any]:
    """All recognizers that come with Presidio, by the names of their classes."""
    import presidio_analyzer.predefined_recognizers as predefined
    from presidio_analyzer import EntityRecognizer

    named = {name: getattr(predefined, name) for name in predefined.__all__}
    return {
        name: found
        for name, found in named.items()
        if isinstance(found, type) and issubclass(found, EntityRecognizer)
    }


def _plain(node: Node) -> Any:
    if isinstance(node.value, Mapping):
        return {key: _plain(value) for key, value in node.value.items()}
    if isinstance(node.value, tuple):
        return [_plain(item) for item in node.value]
    return node.value
