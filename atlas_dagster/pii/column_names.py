"""What the name of a field says of its values: which personal data, whose, or none."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from atlas_dagster.pii import column_roles as roles
from atlas_dagster.pii.column_words import HINT, NOTHING, PHRASES, SURE

ANY_ELEMENT = ("[]", "*")

# Whose it is decides these: the city of a shop is not personal, its telephone number may be.
OWNED_ENTITIES = frozenset({"LOCATION", "NATIONAL_ID", "BANK_ACCOUNT", "NRP", "URL"})
MACHINE_ENTITIES = frozenset({"IP_ADDRESS", "MAC_ADDRESS"})

_LETTERS = str.maketrans(
    {
        "ß": "ss", "æ": "ae", "Æ": "AE", "ø": "o", "Ø": "O", "œ": "oe", "Œ": "OE",
        "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ð": "d", "þ": "th", "ı": "i",
    }
)  # fmt: skip
_TOKEN = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_LONGEST_PHRASE = 7  # tokens
_SHORTEST_REDUCED = 4  # characters of a phrase without its articles
_LONGEST_SEGMENTED = 60  # characters
_SHORTEST_PIECE = 4
_SHORT_PIECES = frozenset({"ip", "id", "tel", "zip", "dob", "mac", "ssn", "cpr", "nom"})
_PLURALS = ("s", "es", "n", "en", "e", "er", "r", "ne", "ene", "erne", "ker")  # butik: butikker
_JOINTS = ("", "s", "n", "en", "es", "e")  # what German and Danish put between words


@dataclass(frozen=True)
class Support:
    """A name says that the field holds an entity: how sure (0 to 1), and by which words."""

    entity: str
    weight: float
    words: str


@dataclass(frozen=True)
class NameEvidence:
    """What a name says for entities, surest first, and against findings of others, by words."""

    supports: tuple[Support, ...] = ()
    denials: Mapping[str, str] | None = None

    def support(self, entity: str) -> Support | None:
        return next((given for given in self.supports if given.entity == entity), None)

    def denial(self, entity: str) -> str | None:
        """The word that speaks against an entity, unless the name speaks for it."""
        return None if self.support(entity) else (self.denials or {}).get(entity)


@dataclass(frozen=True)
class _Match:
    entity: str
    weight: float
    start: int
    end: int

    @property
    def length(self) -> int:
        return self.end - self.start


def folded(text: str) -> str:
    """The text without accents; letters that are not Latin stay."""
    decomposed = unicodedata.normalize("NFKD", text.translate(_LETTERS))
    return "".join(mark for mark in decomposed if not unicodedata.combining(mark))


def name_tokens(name: str) -> tuple[str, ...]:
    """The words of a name, in lower case without accents: `customerE-Mail2` has four."""
    tokens = (token.lower() for token in _TOKEN.findall(folded(name)))
    return tuple(piece for token in tokens for piece in _pieces(token))


def name_evidence(path: Sequence[str], stream: str = "") -> NameEvidence:
    """What the last name of a path says, and the names above it, that of the stream included."""
    names = [name for name in path if name not in ANY_ELEMENT]
    if not names:
        return NameEvidence()
    above = [name_tokens(name) for name in (stream, *names[:-1])]
    tokens = name_tokens(names[-1])
    matches = _matches(tokens)
    if not matches and len(names) > 1 and _is_a_part(tokens):
        above, tokens = above[:-1], above[-1] + tokens
        matches = _matches(tokens)
    supports: dict[str, Support] = {}
    for match in matches:
        support = _support(match, tokens, above)
        known = supports.get(match.entity)
        if support and (known is None or known.weight < support.weight):
            supports[match.entity] = support
    strongest = sorted(supports.values(), key=lambda given: (-given.weight, given.entity))
    return NameEvidence(tuple(strongest), _denials(tokens))


def _support(
    match: _Match, tokens: tuple[str, ...], above: Sequence[tuple[str, ...]]
) -> Support | None:
    """What a phrase says where it stands; None where the words around it take it back."""
    words = " ".join(tokens[match.start : match.end])
    if match.entity == NOTHING:
        return None
    if _has(tokens[match.end :], _ATTRIBUTES) or _has(tokens[: match.start], _LEADING):
        return None
    if match.entity in MACHINE_ENTITIES:
        around = tokens[: match.start] + tokens[match.end :]
        return None if _has(around, _MACHINES) else Support(match.entity, match.weight, words)
    owner, of_person = _owner(match, tokens, above)
    if match.entity == "PERSON" and match.weight <= HINT:
        if owner and not of_person:
            return None
        return Support(match.entity, SURE, f"{owner} {words}") if owner else _plain(match, words)
    if match.entity in OWNED_ENTITIES and owner and not of_person:
        return None
    return _plain(match, words)


def _plain(match: _Match, words: str) -> Support:
    return Support(match.entity, match.weight, words)


def _owner(
    match: _Match, tokens: tuple[str, ...], above: Sequence[tuple[str, ...]]
) -> tuple[str | None, bool]:
    """Whose field it is: the word nearest to the phrase, else in the nearest name above it.

    The stream comes last: a name of `users` is a person's, though they are `users_by_country`.
    """
    before = [(match.start - at, tokens[at]) for at in range(match.start)]
    after = [(at - match.end + 1, tokens[at]) for at in range(match.end, len(tokens))]
    nearest = [word for _, word in sorted(before + after)]
    stream, *fields = above
    named = _NAMED if match.entity == "PERSON" else frozenset[str]()
    places = [(words, named) for words in (nearest, *(name[::-1] for name in reversed(fields)))]
    for words, others in [*places, (stream[::-1], frozenset[str]())]:
        for word in words:
            if _one_of(word, _NOT_PERSONS) or _one_of(word, others):
                return word, False
            if _one_of(word, _PERSONS):
                return word, True
    return None, False


def _denials(tokens: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for start in range(len(tokens)):
        for end in range(start + 1, min(len(tokens), start + 3) + 1):
            word = "".join(tokens[start:end])
            for entity in _DENIALS.get(_singular(word, _DENIALS) or "", ()):
                found.setdefault(entity, " ".join(tokens[start:end]))
    for word in tokens:
        if _one_of(word, _MACHINES):
            for entity in MACHINE_ENTITIES:
                found.setdefault(entity, word)
    return found


def _matches(tokens: tuple[str, ...]) -> list[_Match]:
    """The phrases in the tokens; one that lies in a longer one does not count."""
    found: list[_Match] = []
    for start in range(len(tokens)):
        for end in range(start + 1, min(len(tokens), start + _LONGEST_PHRASE) + 1):
            for entity, weight in _known(tokens[start:end]):
                found.append(_Match(entity, weight, start, end))
    return [match for match in found if not any(_within(match, other) for other in found)]


def _within(match: _Match, other: _Match) -> bool:
    return other.start <= match.start and match.end <= other.end and other.length > match.length


def _known(run: tuple[str, ...]) -> tuple[tuple[str, float], ...]:
    reduced = tuple(token for token in run if token not in _STOP_WORDS)
    for key in dict.fromkeys(("".join(run), "".join(reduced) if run[0] in reduced else "")):
        word = _singular(key, _ENTITIES)
        if word and run[-1] not in _STOP_WORDS - {word}:
            return _ENTITIES[word]
    return ()


def _is_a_part(tokens: tuple[str, ...]) -> bool:
    """Whether a name means something only below another: `value`, `line1`, `number`."""
    return all(token in _NEUTRAL or token.isdigit() or token in _PART_WORDS for token in tokens)


def _has(tokens: Iterable[str], words: frozenset[str]) -> bool:
    run = tuple(tokens)
    pairs = ("".join(run[at : at + 2]) for at in range(len(run) - 1))
    return any(token in words for token in (*run, *pairs))


def _singular(word: str, known: Iterable[str]) -> str | None:
    """The word as it is known, also where it has a plural `s`."""
    if word in known:
        return word
    stems = (word.removesuffix(ending) for ending in ("s", "es") if word.endswith(ending))
    return next((stem for stem in stems if stem in known and len(stem) > 2), None)


def _one_of(word: str, known: frozenset[str]) -> bool:
    """Whether a word is known, or its stem is: streams are named in the plural."""
    stems = (word.removesuffix(ending) for ending in _PLURALS if word.endswith(ending))
    return word in known or any(stem in known for stem in stems if len(stem) >= _SHORTEST_PIECE)


@lru_cache(maxsize=8192)
def _pieces(token: str) -> tuple[str, ...]:
    """A token cut into the words that it is glued of, if it is: `kundenemail`."""
    if len(token) > _LONGEST_SEGMENTED or token.isdigit() or _singular(token, _VOCABULARY):
        return (token,)
    best: dict[int, tuple[str, ...]] = {0: ()}
    for end in range(1, len(token) + 1):
        candidates = [
            (*best[start], word)
            for start in range(end)
            if start in best and (word := _piece(token[start:end], last=end == len(token)))
        ]
        if candidates:
            best[end] = min(candidates, key=len)
    return best.get(len(token), (token,))


def _piece(text: str, *, last: bool) -> str | None:
    for joint in ("", "s") if last else _JOINTS:
        word = text.removesuffix(joint) if joint else text
        if text.endswith(joint) and word in _VOCABULARY:
            return word if len(word) >= _SHORTEST_PIECE or word in _SHORT_PIECES else None
    return None


def _words(text: str) -> frozenset[str]:
    """The words of a table, as they are looked up: joined."""
    return frozenset("".join(phrase.split()) for phrase in text.split(",") if phrase.strip())


def _entities() -> dict[str, tuple[tuple[str, float], ...]]:
    """By joined phrase, with and without its articles: the entities it names, with weights."""
    known: dict[str, dict[str, float]] = {}
    for phrases in PHRASES:
        for phrase in phrases.text.split(","):
            words = phrase.split()
            reduced = [word for word in words if word not in _STOP_WORDS]
            keys = {"".join(words)}
            if len("".join(reduced)) >= _SHORTEST_REDUCED:
                keys.add("".join(reduced))
            for key in keys - {""}:
                entry = known.setdefault(key, {})
                entry[phrases.entity] = max(phrases.weight, entry.get(phrases.entity, 0.0))
    return {key: tuple(entry.items()) for key, entry in known.items()}


_STOP_WORDS = _words(roles.STOP_WORDS)
_PERSONS = _words(roles.PERSONS)
_THINGS = _words(roles.THINGS)
_MACHINES = _words(roles.MACHINES)
_NAMED = _words(roles.NAMED)
_NOT_PERSONS = _THINGS | _MACHINES
_ATTRIBUTES = _words(roles.ATTRIBUTES)
_LEADING = _words(roles.LEADING_ATTRIBUTES)
_NEUTRAL = _words(roles.NEUTRAL)
_PART_WORDS = frozenset({"name", "address", "adresse", "street", "home", "work"})
_ENTITIES = _entities()
_DENIALS = {word: entities for text, entities in roles.DENIALS.items() for word in _words(text)}
_VOCABULARY = frozenset(_ENTITIES) | (
    _PERSONS | _NOT_PERSONS | _NAMED | _ATTRIBUTES | _LEADING | _NEUTRAL | frozenset(_DENIALS)
)
