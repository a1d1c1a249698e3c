"""Names for what the server has made up: kept in the step that showed it first, quoted where it is sent."""

from __future__ import annotations

import re
from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass
from urllib.parse import unquote

from pydantic import JsonValue

from abacito.scenario.names import escape, is_name
from abacito.scenario.recording.exchange import Exchange
from abacito.scenario.step import FAULTS

_ID_KEY = re.compile(r"^(id|.*Id|.*_id)$")
_ID = re.compile(r"^[\w.@:-]{8,}$")
_WORD = re.compile(r"[\w.@:-]{8,}")
_VERSION = re.compile(r"^v\d+$")


@dataclass
class _Shown:
    """Where a text was shown first, and its name once it is quoted. ``before``: what must stand before it."""

    keep: MutableMapping[str, str]
    path: str
    hint: str
    before: str = ""
    name: str | None = None


class Names:
    """The ids of a recording. What a client has sent before any answer had it is the client's, and no id."""

    def __init__(self) -> None:
        self._shown: dict[str, _Shown] = {}
        self._sent: set[str] = set()
        self._taken: set[str] = set()

    def note_sent(self, exchange: Exchange) -> None:
        """Note the words of a request."""
        self._sent.update(_WORD.findall(f"{unquote(exchange.path)} {exchange.text or ''}"))

    def learn(self, exchange: Exchange, document: JsonValue, keep: MutableMapping[str, str]) -> None:
        """Note the ids in an answer; those that are quoted later get a name in ``keep``."""
        for path, key, text in _ids(document):
            if text not in self._shown and text not in self._sent:
                self._shown[text] = _Shown(keep, path, self._hint(key, exchange))
        if exchange.path.rstrip("/") == FAULTS and isinstance(document, dict) and isinstance(document.get("id"), str):
            self._shown[str(document["id"])] = _Shown(keep, "id", "fault", before="faults/")

    def forget(self, keep: MutableMapping[str, str]) -> None:
        """What that step has shown counts no more, as its answer does not."""
        self._shown = {text: shown for text, shown in self._shown.items() if shown.keep is not keep}

    def knows(self, text: str) -> bool:
        """Whether it is an id that was shown."""
        return text in self._shown

    def holds(self, text: str) -> bool:
        """Whether an id that was shown stands in the text."""
        return next(self._found(text), None) is not None

    def quote(self, text: str) -> str:
        """The text as a story writes it, every id in it quoted by its name."""
        text, found = escape(text), sorted(self._found(text), key=len, reverse=True)
        for each in found:
            shown = self._shown[each]
            text = re.sub(_pattern(each, shown), f"{{{self._name(shown)}}}", text)
        return text

    def quote_all(self, value: JsonValue) -> JsonValue:
        """The value with all its strings quoted, keys included."""
        if isinstance(value, str):
            return self.quote(value)
        if isinstance(value, list):
            return [self.quote_all(item) for item in value]
        if isinstance(value, dict):
            return {self.quote(key): self.quote_all(item) for key, item in value.items()}
        return value

    def _found(self, text: str) -> Iterator[str]:
        return (each for each, shown in self._shown.items() if each in text and re.search(_pattern(each, shown), text))

    def _name(self, shown: _Shown) -> str:
        if shown.name is None:
            number = next(n for n in range(1, len(self._taken) + 2) if _numbered(shown.hint, n) not in self._taken)
            shown.name = _numbered(shown.hint, number)
            self._taken.add(shown.name)
            shown.keep[shown.name] = shown.path
        return shown.name

    def _hint(self, key: str, exchange: Exchange) -> str:
        """What it is an id of, by its key, or by the path that it was got from."""
        kind = re.sub(r"(Id|_id)$", "", key)
        if key == "id":
            parts = [part for part in exchange.plain_path.split("/") if part and not _VERSION.match(part)]
            kind = next((part for part in reversed(parts) if not self.knows(part)), key)
        kind = "alias" if kind == "aliases" else kind.removesuffix("s").replace("-", "_")
        return kind if is_name(kind) else "id"


def _ids(value: JsonValue, path: tuple[str, ...] = ()) -> Iterator[tuple[str, str, str]]:
    """Dotted path, key and text of every id."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _ids(item, (*path, str(index)))
    elif isinstance(value, dict):
        for key, item in value.items():
            if isinstance(item, str) and _ID_KEY.match(key) and _ID.match(item):
                yield ".".join((*path, key)), key, item
            elif "." not in key:
                yield from _ids(item, (*path, key))


def _pattern(text: str, shown: _Shown) -> str:
    before = rf"(?<={re.escape(shown.before)})" if shown.before else "(?<![A-Za-z0-9])"
    return rf"{before}{re.escape(text)}(?![A-Za-z0-9])"


def _numbered(hint: str, number: int) -> str:
    return hint if number == 1 else f"{hint}{number}"
