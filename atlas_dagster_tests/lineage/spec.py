"""OpenLineage's schemas, and what of an event breaks them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.exceptions import NoSuchResource

Json = dict[str, Any]

SCHEMAS = Path(__file__).parent / "schemas"
_FACETS = ("facets", "inputFacets", "outputFacets")


def mistakes(event: Json) -> list[str]:
    """What is wrong with a run event; a facet without a schema, or under a wrong name, is."""
    found = [*_errors(event, "OpenLineage.json", "RunEvent")]
    for name, facet in _facets(event):
        found += [f"{name}: {mistake}" for mistake in _facet_mistakes(name, facet)]
    return found


def _facet_mistakes(name: str, facet: Json) -> Iterator[str]:
    url = urlsplit(facet["_schemaURL"])
    file = Path(url.path).name
    kind = url.fragment.rpartition("/")[2]
    if not (SCHEMAS / file).is_file():
        yield f"no schema {file}"
    elif name not in _load(file)["properties"]:
        yield f"{file} is not about {name}"
    else:
        yield from _errors(facet, file, kind)


def _errors(document: Json, file: str, definition: str) -> Iterator[str]:
    for error in _validator(file, definition).iter_errors(document):
        yield f"{error.json_path}: {error.message}"


@cache
def _validator(file: str, definition: str) -> Draft202012Validator:
    schema = {"$ref": f"https://openlineage.io/spec/{file}#/$defs/{definition}"}
    registry: Registry[Any] = Registry(retrieve=_retrieve)
    checker = Draft202012Validator.FORMAT_CHECKER
    return Draft202012Validator(schema, registry=registry, format_checker=checker)


def _retrieve(uri: str) -> Resource[Any]:
    """A schema by its file: schemas refer to each other by versions that differ."""
    file = Path(urlsplit(uri).path).name
    if not (SCHEMAS / file).is_file():
        raise NoSuchResource(ref=uri)
    return Resource.from_contents(_load(file))


@cache
def _load(file: str) -> Json:
    return json.loads((SCHEMAS / file).read_text())


def _facets(part: Any) -> Iterator[tuple[str, Json]]:
    """All facets of an event, those within others too."""
    if isinstance(part, dict):
        for key, value in part.items():
            if key in _FACETS:
                yield from value.items()
            yield from _facets(value)
    elif isinstance(part, list):
        for item in part:
            yield from _facets(item)
