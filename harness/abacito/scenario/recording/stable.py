"""The part of an answer that will be the same when it is asked for again."""

from __future__ import annotations

import re
from collections.abc import Callable

from pydantic import JsonValue

from abacito.scenario.expect import MATCHERS, TYPES, Missing
from abacito.scenario.names import escape

LONGEST_TEXT = 1000  # characters; more of it is no help to a reader
_PASSING = re.compile(
    r"^(_.*|version|.*Ids?|ids?|owner|executor|tenant|host|ip|cid|location|chName|finalState|statusMessage|messages"
    r"|cpu|io|runtime|total.+|cronNextEx|.*(Time|Date|Updated?|Created|Used?|Expires?)|pid|now|offset_s|seed|url)$"
)
_BEGUN, _ENDS = "RUNNING", ("COMPLETE", "ERROR")
_FINAL = {"READY", *_ENDS}
_TIME = r"\d{4}-\d\d-\d\d|\d{1,2}:\d\d:\d\d|\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun),? "
_PLACE = r"[a-z]+://|\b\d{1,3}(\.\d{1,3}){3}\b|localhost"
_ID = r"\b(?=\w*\d)(?=\w*[A-Za-z])\w{8,}\b|\b[0-9a-f]{8}-[0-9a-f]{4}-|\b[\w-]{24,}\b"
_CHANGING_TEXT = re.compile(rf"{_TIME}|{_PLACE}|{_ID}|\d\.\d|0x[0-9a-f]+")


class Stable:
    """Keeps of an answer what does not change. ``is_private``: texts that are not to be shown, or are somebody's."""

    def __init__(self, is_private: Callable[[str], bool]) -> None:
        self._is_private = is_private

    def part(self, value: JsonValue, *, own: bool = False) -> JsonValue | Missing:
        """What a story can expect in place of the value; ``own``: its lists hold nothing but what the story made."""
        match value:
            case dict():
                return self._mapping(value, own)
            case list():
                return self._list(value, own)
            case str():
                return escape(value) if self._is_text(value) else Missing.KEY
            case None:
                return Missing.KEY
        return value

    def text(self, text: str) -> JsonValue | Missing:
        """What can be expected of a log or another text: all of it, or the lines in it that do not change."""
        if not text.strip():
            return Missing.KEY
        if self._is_text(text):
            return {"contains": escape(text)}
        lines = [escape(line) for line in text.splitlines() if line.strip() and self._is_text(line)]
        return {"contains": list(dict.fromkeys(lines))} if lines and len(text) <= LONGEST_TEXT else Missing.KEY

    def _mapping(self, value: dict[str, JsonValue], own: bool) -> JsonValue | Missing:
        found: dict[str, JsonValue] = {}
        for key, item in value.items():
            kept = self._field(key, item, own)
            if not isinstance(kept, Missing):
                found[escape(key)] = kept
        return found or Missing.KEY

    def _field(self, key: str, value: JsonValue, own: bool) -> JsonValue | Missing:
        if key == "messages" and value == 0:
            return 0
        if _PASSING.match(key) or self._is_private(key) or _is_matcher(key, value):
            return Missing.KEY
        if key == "status" and value not in _FINAL:
            return {"one_of": [value, *_ENDS]} if value == _BEGUN else Missing.KEY
        if key == "logs" and isinstance(value, str):
            return self.text(value)
        return Missing.KEY if value == "" else self.part(value, own=own)

    def _list(self, value: list[JsonValue], own: bool) -> JsonValue | Missing:
        parts = [item if item is None else self.part(item) for item in value]
        found = [part for part in parts if not isinstance(part, Missing | dict | list)]
        if value and len(found) == len(value):
            return list[JsonValue](found)
        return {"length": len(value)} if own else Missing.KEY

    def _is_text(self, text: str) -> bool:
        return len(text) <= LONGEST_TEXT and not _CHANGING_TEXT.search(text) and not self._is_private(text)


def _is_matcher(key: str, value: JsonValue) -> bool:
    """Whether a story would take it for a matcher."""
    return key in MATCHERS and (key != "type" or value in TYPES)
