"""The verdict on a field: which personal data it holds, how sure that is, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from atlas_dagster.pii.column_names import NameEvidence, Support, name_evidence
from atlas_dagster.pii.column_words import LIKELY
from atlas_dagster.pii.findings import EntityFinding, FieldFindings
from atlas_dagster.pii.ner_result import NerResult
from atlas_dagster.pii.verdict_rules import (
    FAMILIES,
    NAME_RULES,
    NEED_A_NAME,
    OTHER_RULE,
    OTHER_SCORE,
    TAKEN_FOR,
    TAKEN_FOR_IN_SHORT,
    TYPICAL,
    VALUE_RULES,
    WEAK_SCORE,
    ValueRule,
    is_free_text,
)

Kind: TypeAlias = Literal["values", "embedded", "name"]

# How sure findings are that need a name: the name does the rest.
TRUST_BESIDE_A_NAME = 0.3
# What is left of the confidence where the name says otherwise.
DENIED = 0.7


@dataclass(frozen=True)
class Verdict:
    """One kind of personal data that a field holds.

    ``kind``: the values are such (`values`), text that holds such (`embedded`), or nothing but the
    field's name says so (`name`: ``share`` and ``mean_score`` are then those of what was found
    nevertheless, often 0). ``share`` is of the non-null values, ``confidence`` from 0 to 1.
    ``entity`` is Presidio's name, or one of `column_words` where Presidio has none that fits.
    """

    path: tuple[str, ...]
    entity: str
    kind: Kind
    share: float
    mean_score: float
    confidence: float
    evidence: tuple[str, ...]


@dataclass(frozen=True)
class _Found:
    """A finding in shares of the rows that were looked at."""

    entity: str
    share: float
    whole: float
    mean_score: float

    @property
    def kind(self) -> Kind:
        return "values" if self.whole >= TYPICAL * self.share else "embedded"


def judge(
    findings: FieldFindings, *, stream: str = "", ner: NerResult | None = None
) -> tuple[Verdict, ...]:
    """The personal data of a field, surest first; none: it holds none that could be told.

    ``stream`` is its name: `name` in `users` is a person's. ``ner`` is what a model found in it.
    """
    if not findings.rows:
        return ()
    names = name_evidence(findings.path, stream)
    found = _shares(findings, ner)
    named = [
        verdict for support in names.supports if (verdict := _by_name(findings, support, found))
    ]
    told = {entity for verdict in named for entity in _family(verdict.entity)}
    alone = [
        verdict
        for entity, seen in found.items()
        if entity not in told
        and not _is_taken_for(findings, seen, found)
        and (verdict := _by_values(findings, seen, names))
    ]
    return tuple(_unexplained(named, alone))


def family_of(entity: str) -> str:
    """What verdicts that a name began call an entity: US_BANK_NUMBER is a BANK_ACCOUNT."""
    return next((family for family, members in FAMILIES.items() if entity in members), entity)


def _shares(findings: FieldFindings, ner: NerResult | None) -> Mapping[str, _Found]:
    found = {seen.entity: _share(seen, findings.rows) for seen in findings.entities}
    if ner and ner.analyzed_rows:
        found.update({seen.entity: _share(seen, ner.analyzed_rows) for seen in ner.entities})
    return found


def _share(seen: EntityFinding, rows: int) -> _Found:
    return _Found(seen.entity, seen.rows / rows, seen.whole_rows / rows, seen.mean_score)


def _family(entity: str) -> tuple[str, ...]:
    family = family_of(entity)
    return (family, *FAMILIES.get(family, ()))


def _by_name(
    findings: FieldFindings, support: Support, found: Mapping[str, _Found]
) -> Verdict | None:
    """The verdict that a name asks for, if the values bear it."""
    candidates = [found[entity] for entity in _family(support.entity) if entity in found]
    best = max(candidates, key=lambda seen: (seen.share, seen.mean_score), default=None)
    said = f"the name says {support.words!r}"
    if best and best.share >= _least_share(support.entity, best):
        trust = TRUST_BESIDE_A_NAME if best.entity in NEED_A_NAME else _rule(best.entity).trust
        return _verdict(
            findings,
            best,
            entity=_reported(support.entity, best),
            confidence=_either(support.weight, _certainty(best, trust, _rule(best.entity).chance)),
            evidence=(said, _counted(best)),
        )
    rule = NAME_RULES.get(support.entity)
    if rule is None or rule.proof is not None or support.weight < LIKELY or not rule.fits(findings):
        return None
    seen = best or _Found(support.entity, 0.0, 0.0, 0.0)
    return Verdict(
        path=findings.path,
        entity=support.entity,
        kind="name",
        share=seen.share,
        mean_score=seen.mean_score,
        confidence=support.weight,
        evidence=(said, "the values could be such, and no recognizer tells"),
    )


def _least_share(entity: str, best: _Found) -> float:
    """The share of the rows from on which findings bear a name out."""
    rule = NAME_RULES.get(entity)
    if rule and rule.proof is not None:
        return rule.proof
    return TYPICAL if best.entity != entity else _rule(best.entity).named


def _reported(entity: str, best: _Found) -> str:
    """Presidio's name for what it found, unless that is found in any number or date."""
    weak = best.entity in NEED_A_NAME or best.mean_score < WEAK_SCORE
    return entity if weak else best.entity


def _by_values(findings: FieldFindings, seen: _Found, names: NameEvidence) -> Verdict | None:
    """The verdict that findings ask for where the name says nothing, or otherwise."""
    least_score = WEAK_SCORE if seen.entity in VALUE_RULES else OTHER_SCORE
    if seen.entity in NEED_A_NAME or seen.mean_score < least_score:
        return None
    rule = _rule(seen.entity)
    denial = names.denial(seen.entity)
    if denial:
        least, share = rule.denied, seen.whole
    else:
        stands_alone = seen.kind == "values" or (rule.needs_text and not is_free_text(findings))
        least, share = (rule.alone if stands_alone else rule.embedded), seen.share
    if least is None or share < least or _looks_alike(findings, rule):
        return None
    confidence = _certainty(seen, rule.trust, rule.chance)
    otherwise = (f"although the name says {denial!r}",) if denial else ()
    return _verdict(
        findings,
        seen,
        entity=seen.entity,
        confidence=confidence * (DENIED if denial else 1.0),
        evidence=(_counted(seen), *otherwise),
    )


def _is_taken_for(findings: FieldFindings, seen: _Found, found: Mapping[str, _Found]) -> bool:
    """Whether it lies in what another recognizer knows better."""
    rivals = TAKEN_FOR.get(seen.entity, ())
    if not is_free_text(findings):
        rivals += TAKEN_FOR_IN_SHORT.get(seen.entity, ())
    return seen.kind == "embedded" and any(
        found[rival].share >= seen.share for rival in rivals if rival in found
    )


def _looks_alike(findings: FieldFindings, rule: ValueRule) -> bool:
    return any(getattr(findings.shape, shape) >= TYPICAL for shape in rule.lookalikes)


def _unexplained(named: Sequence[Verdict], alone: Sequence[Verdict]) -> list[Verdict]:
    """Surest first, those that no surer one explains: a card's number looks like a telephone's."""
    kept: list[Verdict] = []
    for verdict in sorted((*named, *alone), key=_strength):
        if not any(_explains(surer, verdict, is_named=verdict in named) for surer in kept):
            kept.append(verdict)
    return kept


def _explains(surer: Verdict, verdict: Verdict, *, is_named: bool) -> bool:
    """Whether what the surer one says of the values leaves nothing to the other."""
    if surer.kind == "values" and surer.share >= TYPICAL:
        return verdict.kind == "name" or not is_named
    return surer.kind == "name" and verdict.kind == "values" and not is_named


def _rule(entity: str) -> ValueRule:
    return VALUE_RULES.get(entity, OTHER_RULE)


def _certainty(seen: _Found, trust: float, chance: float) -> float:
    """How sure findings are: what is beyond chance of them, where chance makes some."""
    if not chance:
        return trust
    return trust * max(0.0, min(1.0, (seen.share - chance) / (1.0 - chance)))


def _either(one: float, other: float) -> float:
    """How sure two independent witnesses are together."""
    return 1.0 - (1.0 - one) * (1.0 - other)


def _verdict(
    findings: FieldFindings,
    seen: _Found,
    *,
    entity: str,
    confidence: float,
    evidence: tuple[str, ...],
) -> Verdict:
    return Verdict(
        path=findings.path,
        entity=entity,
        kind=seen.kind,
        share=seen.share,
        mean_score=seen.mean_score,
        confidence=round(confidence, 2),
        evidence=evidence,
    )


def _counted(seen: _Found) -> str:
    where = "" if seen.kind == "values" else ", inside longer text"
    return (
        f"{seen.entity} in {seen.share:.1%} of the values{where}, mean score {seen.mean_score:.2f}"
    )


def _strength(verdict: Verdict) -> tuple[float, float, str]:
    return (-verdict.confidence, -verdict.share, verdict.entity)
