"""What a story expects of an answer, and what differs from it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import Enum

from pydantic import JsonValue

MAX_SHOWN = 400  # characters of one value in a difference; a whole log would bury the point


class Missing(Enum):
    """Stands for a key that an answer does not have (null is a value)."""

    KEY = "nothing: there is no such key"


Got = JsonValue | Missing
Place = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """One disagreement: where in the answer (dotted), what the story wanted, what there was."""

    path: str
    wanted: str
    got: str


def differences(wanted: JsonValue, got: Got, path: str = "") -> list[Difference]:
    """All disagreements, in the story's order; none when ``got`` fits.

    A mapping is a subset unless it is a matcher (``is_matcher``), a list is matched item by item with equal length,
    anything else is equal or not, and true is not 1.
    """
    if isinstance(wanted, dict):
        return _of_matcher(wanted, got, path) if is_matcher(wanted) else _of_subset(wanted, got, path)
    if isinstance(wanted, list):
        return _of_list(wanted, got, path)
    return [] if _same(wanted, got) else [Difference(path, shown(wanted), shown(got))]


def is_matcher(wanted: Mapping[str, JsonValue]) -> bool:
    """Whether all keys are matchers' names; ``type`` only with the name of a type (an actor has a field ``type``)."""
    return bool(wanted) and all(_is_matcher_key(key, value) for key, value in wanted.items())


def shown(value: Got) -> str:
    """The value as JSON on one line, cut in the middle when long."""
    if isinstance(value, Missing):
        return value.value
    text = json.dumps(value, ensure_ascii=False)
    if len(text) <= MAX_SHOWN:
        return text
    return f"{text[: MAX_SHOWN // 2]} … {text[-MAX_SHOWN // 2 :]} ({len(text)} characters)"


def problems(wanted: JsonValue, place: Place = ()) -> Iterator[tuple[Place, str]]:
    """What can be seen to be wrong with an expectation before any answer: where in it, and a sentence."""
    if isinstance(wanted, list):
        for index, item in enumerate(wanted):
            yield from problems(item, (*place, index))
    elif isinstance(wanted, dict):
        yield from _mixture(wanted, place)
        if is_matcher(wanted):
            yield from _bad_arguments(wanted, place)
        for key, value in wanted.items():
            yield from problems(value, (*place, key))


def _of_subset(wanted: dict[str, JsonValue], got: Got, path: str) -> list[Difference]:
    if not isinstance(got, dict):
        return [Difference(path, f"an object with {shown(wanted)}", shown(got))]
    return [
        difference
        for key, value in wanted.items()
        for difference in differences(value, got.get(key, Missing.KEY), _joined(path, key))
    ]


def _of_list(wanted: list[JsonValue], got: Got, path: str) -> list[Difference]:
    if not isinstance(got, list) or len(got) != len(wanted):
        return [Difference(path, f"a list like {shown(wanted)}", shown(got))]
    pairs = enumerate(zip(wanted, got, strict=True))
    return [found for index, (one, other) in pairs for found in differences(one, other, _joined(path, index))]


def _of_matcher(wanted: dict[str, JsonValue], got: Got, path: str) -> list[Difference]:
    return [
        Difference(path, f"{name}: {shown(argument)}", shown(got))
        for name, argument in wanted.items()
        if not MATCHERS[name](argument, got)
    ]


def _joined(path: str, key: str | int) -> str:
    return f"{path}.{key}" if path else str(key)


def _same(wanted: JsonValue, got: Got) -> bool:
    return wanted == got and isinstance(wanted, bool) == isinstance(got, bool)


def _fits(wanted: JsonValue, got: Got) -> bool:
    return not differences(wanted, got)


def _has_pattern(pattern: JsonValue, got: Got) -> bool:
    return isinstance(got, str) and re.search(str(pattern), got) is not None


def _has_type(name: JsonValue, got: Got) -> bool:
    is_bool = isinstance(got, bool)
    return isinstance(got, TYPES[str(name)]) and (is_bool == (name == "bool"))


def _is_absent(absent: JsonValue, got: Got) -> bool:
    return (got is Missing.KEY) == absent


def _contains(wanted: JsonValue, got: Got) -> bool:
    parts = wanted if isinstance(wanted, list) else [wanted]
    if isinstance(got, str):
        return all(isinstance(part, str) and part in got for part in parts)
    return isinstance(got, list) and all(any(_fits(part, item) for item in got) for part in parts)


def _is_one_of(choices: JsonValue, got: Got) -> bool:
    return isinstance(choices, list) and any(_fits(choice, got) for choice in choices)


def _is_at_least(least: JsonValue, got: Got) -> bool:
    return _is_number(got) and _is_number(least) and float(str(got)) >= float(str(least))


def _has_length(wanted: JsonValue, got: Got) -> bool:
    return isinstance(got, str | list | dict) and _fits(wanted, len(got))


def _is_matcher_key(key: str, value: JsonValue) -> bool:
    return key in MATCHERS and (key != "type" or (isinstance(value, str) and value in TYPES))


def _is_number(value: Got) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


MATCHERS: dict[str, Callable[[JsonValue, Got], bool]] = {
    "pattern": _has_pattern,
    "type": _has_type,
    "absent": _is_absent,
    "contains": _contains,
    "one_of": _is_one_of,
    "at_least": _is_at_least,
    "length": _has_length,
}
TYPES: dict[str, type | tuple[type, ...]] = {
    "int": int,
    "number": (int, float),
    "str": str,
    "bool": bool,
    "list": list,
    "object": dict,
    "null": type(None),
}


def _mixture(wanted: dict[str, JsonValue], place: Place) -> Iterator[tuple[Place, str]]:
    if not (wanted.keys() & MATCHERS.keys()) - {"type"}:
        return
    for key, value in wanted.items():
        if key == "type" and not _is_matcher_key(key, value):
            yield (*place, key), f"{shown(value)} is no type: {', '.join(TYPES)}"
        elif key not in MATCHERS:
            near = get_close_matches(key, MATCHERS, n=1) or [", ".join(MATCHERS)]
            yield (*place, key), f"{key!r} stands beside a matcher, and is none: {near[0]}?"


def _bad_arguments(wanted: dict[str, JsonValue], place: Place) -> Iterator[tuple[Place, str]]:
    for name, argument in wanted.items():
        if (sentence := _bad_argument(name, argument)) is not None:
            yield (*place, name), sentence


def _bad_argument(name: str, argument: JsonValue) -> str | None:
    if name == "pattern":
        return _bad_pattern(argument)
    if name == "absent" and not isinstance(argument, bool):
        return "'absent' takes true or false"
    if name == "one_of" and not isinstance(argument, list):
        return "'one_of' takes a list"
    if name == "at_least" and not _is_number(argument):
        return "'at_least' takes a number"
    return None


def _bad_pattern(argument: JsonValue) -> str | None:
    if not isinstance(argument, str):
        return "'pattern' takes a text"
    try:
        re.compile(argument)
    except re.error as error:
        return f"'pattern' is no regular expression: {error}"
    return None
