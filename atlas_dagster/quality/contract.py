"""The checks that are made of a stream: derived ones, the user's, and what the user changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from atlas_dagster.catalog import Connection, Stream
from atlas_dagster.errors import ConfigError
from atlas_dagster.quality.derive import as_charted, derive_checks
from atlas_dagster.quality.overrides import Override, overridden
from atlas_dagster.quality.spec import (
    Check,
    Dimension,
    NoParameters,
    Outcome,
    Rule,
    Status,
    Threshold,
)
from atlas_dagster.quality.surroundings import load_surroundings
from atlas_dagster.quality.user_file import UserFile, checks_file, read_user_file
from atlas_dagster.rules import AtlasRules
from atlas_dagster.settings import Settings
from atlas_dagster.yaml_source import Node, suggestion


@dataclass(frozen=True)
class Contract:
    """The checks of a stream, the derived ones that the user switched off, and what is amiss.

    ``mistakes`` are of the user's file: it names columns or checks that are not there. Since both
    go when a column does, whether they stop the work is up to who asks: see `refuse_mistakes` and
    `judge_file`. ``file_check`` is the check of the file itself, where there is one.
    """

    checks: tuple[Check, ...]
    file_check: Check | None = None
    disabled: tuple[Check, ...] = ()
    mistakes: tuple[ConfigError, ...] = ()


def build_contract(derived: Sequence[Check], user: UserFile) -> Contract:
    """The checks that are made of a stream, in a fixed order: derived ones, then the user's.

    Raises ConfigError where other limits do not fit a check.
    """
    names = {check.name for check in derived}
    mistakes = [*user.mistakes]
    disabled = _disabled(names, user.disable, mistakes)
    own = {written.check.name: written.check for written in user.checks}
    by_name = {**own, **{check.name: check for check in derived}}
    changed = _overridden(by_name, disabled, user.override, mistakes)
    return Contract(
        file_check=_file_check(user.path) if user.path else None,
        checks=(
            *(changed.get(c.name, c) for c in derived if c.name not in disabled),
            *own.values(),
        ),
        disabled=tuple(check for check in derived if check.name in disabled),
        mistakes=tuple(mistakes),
    )


def judge_file(contract: Contract) -> Outcome | None:
    """What comes of the check of the user's file: an error, where it names what is not there."""
    if contract.file_check is None:
        return None
    if contract.mistakes:
        told = "; ".join(map(str, contract.mistakes))
        return Outcome(contract.file_check, Status.ERROR, message=told)
    return Outcome(contract.file_check, Status.PASS)


def _file_check(path: str) -> Check:
    return Check(
        name="user_file",
        rule=Rule.FILE,
        dimension=Dimension.VALIDITY,
        columns=(),
        description=f"The columns, streams and checks that {path} names are there.",
        origin=path,
        threshold=Threshold(),
        parameters=NoParameters(),
    )


def refuse_mistakes(contract: Contract) -> None:
    """Raise ConfigError, naming the file and line, of the first that a user's file has."""
    if contract.mistakes:
        raise contract.mistakes[0]


def _disabled(
    names: set[str], patterns: Sequence[Node], mistakes: list[ConfigError]
) -> dict[str, Node]:
    """The names of what is switched off, and where it says so."""
    disabled: dict[str, Node] = {}
    for node in patterns:
        pattern = str(node.value)
        matched = [name for name in sorted(names) if fnmatchcase(name, pattern)]
        if not matched:
            mistakes.append(node.error(f"{pattern} is no derived check; {_close(pattern, names)}"))
        disabled.update(dict.fromkeys(matched, node))
    return disabled


def _overridden(
    checks: Mapping[str, Check],
    disabled: Mapping[str, Node],
    overrides: Mapping[str, Override],
    mistakes: list[ConfigError],
) -> dict[str, Check]:
    changed: dict[str, Check] = {}
    for name, override in overrides.items():
        node = override.node
        if name in disabled:
            raise node.error(f"is disabled on line {disabled[name].line}: keep one of the two")
        if name not in checks:
            mistakes.append(node.error(f"is no derived check; {_close(name, checks)}"))
            continue
        changed[name] = overridden(checks[name], override)
    return changed


def _close(name: str, known: Mapping[str, Check] | set[str]) -> str:
    """What may have been meant; all names of a stream would be too many."""
    told = suggestion(name, known)
    return told if told.startswith("did you mean") else "`atlas checks show` lists them"


def load_contract(
    settings: Settings, connection: Connection, rules: AtlasRules, charted: Stream
) -> Contract:
    """The contract of a stream as chart has it, with all columns that it ever had.

    Raises ConfigError where the user's file cannot be read.
    """
    stream = next(s for s in connection.streams if s.slug == charted.slug)
    around = load_surroundings(connection, rules)[stream.slug]
    path = checks_file(settings, connection.slug, stream.slug)
    return build_contract(
        derive_checks(as_charted(stream, charted), around),
        read_user_file(path, charted, connection.streams),
    )


def load_contracts(
    settings: Settings, connection: Connection, rules: AtlasRules
) -> dict[str, Contract]:
    """The contracts of the streams of a connection by its catalog alone, by the slug of each.

    Raises ConfigError where a user's file cannot be read.
    """
    around = load_surroundings(connection, rules)
    return {
        stream.slug: build_contract(
            derive_checks(stream, around[stream.slug]),
            read_user_file(
                checks_file(settings, connection.slug, stream.slug), stream, connection.streams
            ),
        )
        for stream in connection.streams
    }
