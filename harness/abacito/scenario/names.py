"""``{name}`` in a story's strings: what is quoted there, and the strings with the quotes filled in."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches

from pydantic import JsonValue

from abacito.abaco.errors import Misconfigured
from abacito.scenario.expect import Place

_NAME = r"[A-Za-z_]\w*"
# Other braces stand for themselves, so JSON texts and regular expressions need no care.
_QUOTE = re.compile(rf"\{{\{{({_NAME})\}}\}}|\{{({_NAME})\}}")


def is_name(text: str) -> bool:
    """Whether a story can quote a value by this name."""
    return re.fullmatch(_NAME, text) is not None


def escape(text: str) -> str:
    """The text as a story writes it, so that it stands for itself."""
    return re.sub(rf"\{{({_NAME})\}}", r"{{\1}}", text)


def quoted(value: JsonValue, place: Place = ()) -> Iterator[tuple[Place, str]]:
    """Every name that the value's strings and keys quote, with the place of the string."""
    if isinstance(value, str):
        yield from ((place, found[2]) for found in _QUOTE.finditer(value) if found[2])
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from quoted(item, (*place, index))
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from ((((*place, key)), name) for _, name in quoted(key))
            yield from quoted(item, (*place, key))


def unknown_name(name: str, known: Mapping[str, JsonValue] | set[str]) -> str:
    """The sentence that refuses a quote of something that was never kept."""
    near = get_close_matches(name, list(known), n=1)
    if near:
        return f"nothing is kept as {name!r} before this: did you mean {{{near[0]}}}?"
    known_names = ", ".join(sorted(known)) or "no names"
    return f"nothing is kept as {name!r} before this: known are {known_names} ({{{{{name}}}}} stands for itself)"


def fill(value: JsonValue, known: Mapping[str, JsonValue]) -> JsonValue:
    """The value with all quotes filled in.

    A string that is one quote becomes the value itself, with its type; within a longer one it becomes text, and what
    is not text its JSON. Raises Misconfigured for an unknown name.
    """
    if isinstance(value, str):
        alone = _QUOTE.fullmatch(value)
        return _known(alone[2], known) if alone and alone[2] else fill_text(value, known)
    if isinstance(value, list):
        return [fill(item, known) for item in value]
    if isinstance(value, dict):
        return {fill_text(key, known): fill(item, known) for key, item in value.items()}
    return value


def fill_text(text: str, known: Mapping[str, JsonValue]) -> str:
    """The string with all quotes filled in as text. Raises Misconfigured for an unknown name."""
    return _QUOTE.sub(lambda found: as_text(_known(found[2], known)) if found[2] else f"{{{found[1]}}}", text)


def as_text(value: JsonValue) -> str:
    """The value within a string: text as it is, everything else its JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _known(name: str, known: Mapping[str, JsonValue]) -> JsonValue:
    if name not in known:
        raise Misconfigured(unknown_name(name, known))
    return known[name]
