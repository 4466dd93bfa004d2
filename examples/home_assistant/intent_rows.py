"""Rows of an intent data set, drawn from sentence templates and split by template. Pure: no file, no clock.

A template such as ``<turn> on [<the>] {name} <in> {area}`` stands for thousands of sentences. hassil, the
templates' own library, parses it; its sampler would list the sentences in order. Here one walk through the
parsed template draws one sentence, so that each template costs the same however many it stands for.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from hassil.expression import (
    Alternative,
    Expression,
    Group,
    ListReference,
    Permutation,
    RuleReference,
    Sentence,
    TextChunk,
)
from hassil.intents import IntentData, Intents, RangeSlotList, SlotList, TextSlotList

DRAWS_PER_TEMPLATE = 3
HELD_OUT_SHARE = 0.3
MIN_TEMPLATES = 2  # in a language: one for each side of the split
SHORT_WORDS, MEDIUM_WORDS = 4, 7  # at most; anything longer is "long"

Fillers = Mapping[str, Any]
"""Values of the slots that a language leaves open: slot -> values, and ``name`` -> domain -> values."""


class SlotError(Exception):
    """A template asks for a slot that neither the package nor the example gives values for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One sentence: ``intent`` is its label, ``template`` the cluster of those drawn from one template."""

    id: str
    text: str
    intent: str
    language: str
    template: str
    length: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """The rows drawn from all languages, and how much was left out on the way, by reason."""

    rows: list[Row]
    left_out: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """One sentence template of one intent; ``domains`` are the kinds of device its ``{name}`` may be."""

    id: str
    language: str
    intent: str
    expression: Expression
    domains: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grammar:
    """What the templates of one language refer to: rules, lists of slot values, fillers of open slots."""

    rules: Mapping[str, Sentence]
    lists: Mapping[str, SlotList]
    fillers: Fillers


def draw_rows(
    documents: Sequence[dict[str, Any]], fillers: Mapping[str, Fillers], *, seed: int, min_languages: int
) -> Draw:
    """At most DRAWS_PER_TEMPLATE sentences of each template, each sentence once over all languages.

    Kept are the intents with MIN_TEMPLATES in at least ``min_languages`` of the documents. A template or a
    sentence that stands under two intents has no one right label and is left out. What is drawn from a
    template depends on the seed and on the template alone. Raises SlotError.
    """
    grammars, templates = parse(documents, fillers)
    one_intent = _under_one_intent(templates)
    kept = _of_spread_intents(one_intent, min_languages)
    drawn = [row for template in kept for row in _rows_of(template, grammars[template.language], seed)]
    by_words: dict[str, list[Row]] = defaultdict(list)
    for row in drawn:
        by_words[words_of(row.text)].append(row)
    rows = [same[0] for same in by_words.values() if len({row.intent for row in same}) == 1]
    left_out = {
        "templates under two intents": len(templates) - len(one_intent),
        "templates of intents in too few languages": len(one_intent) - len(kept),
        "repeated sentences": len(drawn) - len(by_words),
        "sentences under two intents": len(by_words) - len(rows),
    }
    return Draw(rows=rows, left_out=left_out)


def split_by_template(rows: Sequence[Row], *, seed: int) -> tuple[list[Row], list[Row]]:
    """Training and held-out rows: HELD_OUT_SHARE of the templates of each intent in each language held out.

    A lone template of an intent in a language goes to training. Since each sentence is there once, whole
    templates on one side keep the sentences apart too.
    """
    strata: dict[tuple[str, str], set[str]] = defaultdict(set)
    for row in rows:
        strata[row.intent, row.language].add(row.template)
    rng = np.random.default_rng(seed)
    held_out: set[str] = set()
    for _, templates in sorted(strata.items()):
        shuffled = rng.permutation(sorted(templates)).tolist()
        held_out.update(shuffled[: round(HELD_OUT_SHARE * len(templates))])
    ordered = sorted(rows, key=lambda row: row.id)
    train = [row for row in ordered if row.template not in held_out]
    return train, [row for row in ordered if row.template in held_out]


def words_of(text: str) -> str:
    """A text without case and punctuation: what two copies of the same sentence have in common."""
    return " ".join(re.findall(r"\w+", text.casefold()))


def length_of(text: str) -> str:
    words = len(text.split())
    return "short" if words <= SHORT_WORDS else "medium" if words <= MEDIUM_WORDS else "long"


def content_hash(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def parse(
    documents: Sequence[dict[str, Any]], fillers: Mapping[str, Fillers]
) -> tuple[dict[str, Grammar], list[Template]]:
    """The grammar of each language and the templates of all, in the order of the documents."""
    grammars, templates = {}, []
    for document in documents:
        intents = Intents.from_dict(document)
        grammars[intents.language] = Grammar(
            rules=intents.expansion_rules, lists=intents.slot_lists, fillers=fillers[intents.language]
        )
        templates += _templates_of(intents)
    return grammars, templates


def _templates_of(intents: Intents) -> list[Template]:
    """A template that one intent repeats for several kinds of device counts once, with all their domains."""
    expressions: dict[tuple[str, str], Expression] = {}
    domains: dict[tuple[str, str], set[str]] = defaultdict(set)
    for intent in intents.intents.values():
        for data in intent.data:
            for sentence in data.sentences:
                expressions[intent.name, sentence.text] = sentence.expression
                domains[intent.name, sentence.text].update(_domains_of(data))
    return [
        Template(
            id=content_hash(intents.language, text),
            language=intents.language,
            intent=intent,
            expression=expression,
            domains=tuple(sorted(domains[intent, text])),
        )
        for (intent, text), expression in expressions.items()
    ]


def _domains_of(data: IntentData) -> list[str]:
    domain = data.requires_context.get("domain", [])
    return [domain] if isinstance(domain, str) else list(domain)


def _under_one_intent(templates: Sequence[Template]) -> list[Template]:
    count = Counter(template.id for template in templates)
    return [template for template in templates if count[template.id] == 1]


def _of_spread_intents(templates: Sequence[Template], min_languages: int) -> list[Template]:
    count = Counter((template.intent, template.language) for template in templates)
    languages = Counter(intent for (intent, _), number in count.items() if number >= MIN_TEMPLATES)
    return [template for template in templates if languages[template.intent] >= min_languages]


def _rows_of(template: Template, grammar: Grammar, seed: int) -> list[Row]:
    rng = np.random.default_rng([seed, int(template.id, 16)])
    drawn = (_draw(template.expression, template, grammar, rng) for _ in range(DRAWS_PER_TEMPLATE))
    return [
        Row(
            id=content_hash(template.language, text),
            text=text,
            intent=template.intent,
            language=template.language,
            template=template.id,
            length=length_of(text),
        )
        for text in dict.fromkeys(" ".join(words.split()) for words in drawn)
    ]


def _draw(expression: Expression, template: Template, grammar: Grammar, rng: np.random.Generator) -> str:
    match expression:
        case TextChunk():
            return expression.original_text
        case Alternative():
            return _draw(_pick(expression.items, rng), template, grammar, rng)
        case Permutation():
            order = rng.permutation(len(expression.items))
            return "".join(_draw(expression.items[i], template, grammar, rng) for i in order)
        case Group():
            return "".join(_draw(item, template, grammar, rng) for item in expression.items)
        case RuleReference():
            return _draw(grammar.rules[expression.rule_name].expression, template, grammar, rng)
        case ListReference():
            return _draw_slot(expression.list_name, template, grammar, rng)
        case _:
            raise TypeError(f"hassil parsed an expression of a kind unknown here: {expression!r}")


def _draw_slot(slot: str, template: Template, grammar: Grammar, rng: np.random.Generator) -> str:
    match grammar.lists.get(slot):
        case TextSlotList(values=values):
            return _draw(_pick(values, rng).text_in, template, grammar, rng)
        case RangeSlotList(start=start, stop=stop, step=step):
            return str(start + step * int(rng.integers((stop - start) // step + 1)))
        case _:
            return str(_pick(_filler_values(slot, template, grammar.fillers), rng))


def _filler_values(slot: str, template: Template, fillers: Fillers) -> Sequence[str]:
    try:
        if slot == "name":
            return [value for domain in template.domains for value in fillers["name"][domain]]
        return fillers[slot]
    except KeyError as missing:
        raise SlotError(f"{template.intent} ({template.language}): {{{slot}}} has no value for {missing}") from None


def _pick(items: Sequence[Any], rng: np.random.Generator) -> Any:
    return items[int(rng.integers(len(items)))]
