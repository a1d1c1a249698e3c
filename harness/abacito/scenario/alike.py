"""Two answers to the same request, from our emulator and from another Abaco: where they differ."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import TYPE_CHECKING

from pydantic import JsonValue

from abacito.scenario.expect import Missing, shown
from abacito.scenario.references import (
    COLLECTIONS,
    USERS_OWN,
    Knowledge,
    Pairs,
    Which,
    about_path,
    is_fine,
    kind_of,
    moment,
    time_shape,
)

if TYPE_CHECKING:
    from abacito.scenario.play import StepReport

#: Headers that a client goes by; all others (dates, lengths, proxies) are the site's.
HEADERS = ("content-type", "location", "allow", "www-authenticate", "access-control-allow-origin")
#: Numbers that are measured: that there is one is compared, not how much.
MEASURED = re.compile(r"(?:total|execution|^)(?:cpu|io|runtime)(?:all|existing)?$|^pid$|^offsets$")
#: Lists that Abaco promises in an order (of creation): http-api §2.3, §4.1, §6.1. A search promises none (http-api-more
#: §4.3), nor do workers, aliases, configs and what only admins see.
ORDERED = {"actor", "execution", "nonce"}
_EVERYBODYS = {"result", "result.search", "result.actors", "result.workers"}
_SITES_LISTS = ("search", "aliases", "configs", "admin", "workers")
#: The stations of one life: what is asked a moment later may be one further.
LIVES = (
    {"SUBMITTED", "READY"},
    {"SUBMITTED", "RUNNING", "COMPLETE"},
    {"REQUESTED", "SPAWNER SETUP", "PULLING IMAGE", "CREATING CONTAINER", "READY", "BUSY", "SHUTDOWN_REQUESTED"}
    | {"SHUTTING_DOWN"},
)
REFUSED = 400
_TIME_FIELDS = ("time", "at", "exp", "iat", "expires")
_FIRST = ("status_code", "id")  # whether it is an answer at all, and about whom, before what it says
_SINCE_1970 = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Unlike:
    """One difference: where in the answer (dotted), ours and theirs, with numbered references in place of ids."""

    path: str
    ours: str
    theirs: str


@dataclass(frozen=True, slots=True)
class _At:
    """A place in both answers: what kind of value stands there, what ``id`` means there, whose field it is."""

    path: str = ""
    kind: str | None = None
    about: str = "thing"
    thing: str | None = None
    is_users: bool = False

    def below(self, key: str | int, **changes: object) -> _At:
        """The place of an item, or of a field."""
        return replace(self, path=f"{self.path}.{key}" if self.path else str(key), **changes)  # type: ignore[arg-type]


class Alike:
    """Compares the answers of one story, in order: what was the same once has to stay so."""

    def __init__(self, ours: Knowledge, theirs: Knowledge) -> None:
        self._known: dict[Which, Knowledge] = {"ours": ours, "theirs": theirs}
        self._pairs = Pairs()
        self._request = ""
        #: How many things were seen at two stations of one life, and how many of others' were left out.
        self.moments = self.strangers = 0

    def differences(self, ours: StepReport, theirs: StepReport) -> list[Unlike]:
        """Where the two answers to one request differ."""
        self._request = ours.request
        at = _At(about=about_path(ours.request))
        mine, others = _document(ours), _document(theirs)
        if _is_refusal(ours) != _is_refusal(theirs):  # all the rest follows from that
            mine, others = _gist(mine), _gist(others)
        return list(self._records(mine, others, at))

    def told(self, which: Which, text: str) -> str:
        """A text of that side, with numbered references in it."""
        template = self._known[which].template(text)
        names = [self._pairs.name(which, each.kind, each.value) for each in template.mentions]
        return template.words[0] + "".join(name + words for name, words in zip(names, template.words[1:], strict=True))

    def same_text(self, ours: str, theirs: str) -> bool:
        """Whether they say the same, of values that stand for each other."""
        if ours == theirs:
            return True
        mine = self._known["ours"].template(ours)
        if (values := mine.values_in(theirs)) is not None:
            met = zip(mine.mentions, values, strict=True)
            return all(self._fit(each.kind, each.value, value) for each, value in met)
        others = self._known["theirs"].template(theirs)
        if (values := others.values_in(ours)) is not None:
            met = zip(others.mentions, values, strict=True)
            return all(self._fit(each.kind, value, each.value) for each, value in met)
        return False

    def _fit(self, kind: str, ours: str, theirs: str) -> bool:
        return kind == "time" or self._pairs.fit(kind, ours, theirs)

    def _any(self, ours: JsonValue | Missing, theirs: JsonValue | Missing, at: _At) -> Iterator[Unlike]:
        if isinstance(ours, dict) and isinstance(theirs, dict):
            yield from self._records(ours, theirs, at)
        elif isinstance(ours, list) and isinstance(theirs, list):
            yield from self._lists(ours, theirs, at)
        elif isinstance(ours, str) and isinstance(theirs, str):
            if not self._is_same_text(ours, theirs, at):
                yield self._unlike(ours, theirs, at)
        elif not _is_same_plain(ours, theirs, at):
            yield self._unlike(ours, theirs, at)

    def _is_same_text(self, ours: str, theirs: str, at: _At) -> bool:
        if at.kind is not None and ours and theirs:
            return self._pairs.fit(at.kind, ours, theirs)
        shape = time_shape(ours)
        if shape is None or time_shape(theirs) is None:
            return self.same_text(ours, theirs)
        is_same = shape == time_shape(theirs)
        if at.thing is None or not is_fine(ours) or not is_fine(theirs):
            return is_same
        return self._pairs.fit("time", moment(ours), moment(theirs), within=at.thing) and is_same

    def _records(self, ours: Mapping[str, JsonValue], theirs: Mapping[str, JsonValue], at: _At) -> Iterator[Unlike]:
        theirs = {self._key(key, at): value for key, value in theirs.items()}
        is_moment = self._is_other_moment(ours, theirs)
        self.moments += is_moment
        keys = sorted({*ours, *theirs}, key=lambda key: (key not in _FIRST, key))
        for key in keys:
            mine, other = ours.get(key, Missing.KEY), theirs.get(key, Missing.KEY)
            if is_moment and (key in {"status", "statusMessage"} or _is_nothing(mine) or _is_nothing(other)):
                continue
            yield from self._any(mine, other, self._field(key, ours, at))

    def _field(self, key: str, record: Mapping[str, JsonValue], at: _At) -> _At:
        is_users = at.is_users or key in USERS_OWN
        return at.below(
            key,
            kind=None if is_users else kind_of(key, record, at.about),
            about=COLLECTIONS.get(key, at.about),
            thing=_thing(record, at.about),
            is_users=is_users,
        )

    def _key(self, key: str, at: _At) -> str:
        """A field's name; in a map of permissions that is a user's."""
        is_user = at.path == "result" and "/permissions" in self._request
        return self._pairs.in_our_words("user", key) if is_user else key

    def _is_other_moment(self, ours: Mapping[str, JsonValue], theirs: Mapping[str, JsonValue]) -> bool:
        seen = {str(ours.get("status")), str(theirs.get("status"))}
        is_registration = self._request.rstrip("/").endswith(("POST /actors", "POST /actors/v2", "POST /v3/actors"))
        return len(seen) == 2 and any(seen <= life for life in LIVES) and not is_registration

    def _lists(self, ours: list[JsonValue], theirs: list[JsonValue], at: _At) -> Iterator[Unlike]:
        if at.path in _EVERYBODYS:
            ours, theirs = self._of_story("ours", ours), self._of_story("theirs", theirs)
        if self._has_order(ours + theirs, at):
            yield from self._in_order(ours, theirs, at)
        else:
            yield from self._in_any_order(ours, theirs, at)

    def _has_order(self, items: list[JsonValue], at: _At) -> bool:
        if at.is_users or not all(isinstance(item, dict) for item in items):
            return True
        return (
            at.about in ORDERED
            and not any(f"/{word}" in self._request for word in _SITES_LISTS)
            and "search" not in at.path
        )

    def _of_story(self, which: Which, items: list[JsonValue]) -> list[JsonValue]:
        """Without what other users, or other stories, have there."""
        kept = [item for item in items if not self._is_strange(which, item)]
        self.strangers += len(items) - len(kept)
        return kept

    def _is_strange(self, which: Which, item: JsonValue) -> bool:
        if not isinstance(item, dict):
            return False
        actor = item.get("actorId") or (item.get("id") if about_path(self._request) == "actor" else None)
        return isinstance(actor, str) and actor not in self._known[which].met

    def _in_order(self, ours: list[JsonValue], theirs: list[JsonValue], at: _At) -> Iterator[Unlike]:
        if len(ours) != len(theirs):
            yield self._unlike(ours, theirs, at)
            return
        for index, (mine, other) in enumerate(zip(ours, theirs, strict=True)):
            yield from self._any(mine, other, at.below(index))

    def _in_any_order(self, ours: list[JsonValue], theirs: list[JsonValue], at: _At) -> Iterator[Unlike]:
        left = list(theirs)
        for index, mine in enumerate(ours):
            here = at.below(index)
            other = min(left, key=lambda item: len(self._tried(mine, item, here)), default=Missing.KEY)
            yield from self._any(mine, other, here)
            left = [item for item in left if item is not other]
        for index, other in enumerate(left, start=len(ours)):
            yield self._unlike(Missing.KEY, other, at.below(index))

    def _tried(self, ours: JsonValue, theirs: JsonValue, at: _At) -> list[Unlike]:
        """The differences of the two, if they were for each other."""
        before, moments = self._pairs, self.moments
        self._pairs = before.copy()
        found = list(self._any(ours, theirs, at))
        self._pairs, self.moments = before, moments
        return found

    def _unlike(self, ours: JsonValue | Missing, theirs: JsonValue | Missing, at: _At) -> Unlike:
        if (
            at.kind is None
            and isinstance(ours, str)
            and isinstance(theirs, str)
            and "\n" in ours.strip() + theirs.strip()
        ):
            mine, others = _other_lines(self.told("ours", ours), self.told("theirs", theirs))
            return Unlike(at.path, mine, others)
        mine, others = self._shown("ours", ours, at), self._shown("theirs", theirs, at)
        shapes = [time_shape(each) if isinstance(each, str) else None for each in (ours, theirs)]
        if all(shapes) and shapes[0] != shapes[1]:
            mine, others = f"{mine} written {shapes[0]}", f"{others} written {shapes[1]}"
        return Unlike(at.path, mine, others)

    def _shown(self, which: Which, value: JsonValue | Missing, at: _At) -> str:
        return shown(value) if isinstance(value, Missing) else shown(self._named(which, value, at))

    def _named(self, which: Which, value: JsonValue, at: _At) -> JsonValue:
        """The value with references in place of all made-up ones."""
        if isinstance(value, dict):
            return {key: self._named(which, item, self._field(key, value, at)) for key, item in value.items()}
        if isinstance(value, list):
            return [self._named(which, item, at) for item in value]
        if isinstance(value, str):
            return self._named_text(which, value, at)
        return "<measured>" if _is_measured(at) and _is_number(value) else value

    def _named_text(self, which: Which, text: str, at: _At) -> str:
        if at.kind is not None and text:
            return self._pairs.name(which, at.kind, text)
        return self.told(which, text)


def _document(report: StepReport) -> dict[str, JsonValue]:
    """All of an answer that is compared; ``wait.logs`` is the log of the execution that the step waited for."""
    own = report.answer if isinstance(report.answer, dict) else {"text": report.answer}
    headers: dict[str, JsonValue] = {name: report.headers[name] for name in HEADERS if name in report.headers}
    waited: dict[str, JsonValue] = {} if report.logs is None else {"wait": {"logs": report.logs}}
    return {"status_code": report.status_code, "headers": headers, **waited, **own}


def _is_refusal(report: StepReport) -> bool:
    return (report.status_code or 0) >= REFUSED


def _gist(document: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """What an answer says, in short."""
    said = "message" if "message" in document else "text"
    return {"status_code": document["status_code"], "message": document.get(said, json.dumps(document))}


def _other_lines(ours: str, theirs: str) -> tuple[str, str]:
    """Of two longer texts the lines between those that both begin and end with, each with the number of the first."""
    mine, others = ours.splitlines(), theirs.splitlines()
    first = _same_at_first(mine, others)
    last = _same_at_first(mine[first:][::-1], others[first:][::-1])
    return _lines(mine[first : len(mine) - last], first + 1), _lines(others[first : len(others) - last], first + 1)


def _same_at_first(ours: list[str], theirs: list[str]) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(ours, theirs, strict=False)))


def _lines(lines: list[str], first: int) -> str:
    return f"line {first}: {shown(chr(10).join(lines))}" if lines else f"nothing from line {first} on"


def _thing(record: Mapping[str, JsonValue], about: str) -> str | None:
    """Whose times these are; a worker's change by themselves."""
    name = record.get("id") or record.get("alias") or record.get("name")
    return f"{about} {name}" if isinstance(name, str) and about != "worker" else None


def _is_same_plain(ours: JsonValue | Missing, theirs: JsonValue | Missing, at: _At) -> bool:
    if isinstance(ours, bool) or isinstance(theirs, bool) or not (_is_number(ours) and _is_number(theirs)):
        return ours is theirs or (ours == theirs and type(ours) is type(theirs))
    return type(ours) is type(theirs) and (ours == theirs or _is_measured(at) or _are_times(ours, theirs, at))


def _is_measured(at: _At) -> bool:
    return not at.is_users and MEASURED.search(_field_name(at)) is not None


def _are_times(ours: object, theirs: object, at: _At) -> bool:
    is_late = all(isinstance(each, int | float) and each >= _SINCE_1970 for each in (ours, theirs))
    return is_late and _field_name(at).endswith(_TIME_FIELDS)


def _field_name(at: _At) -> str:
    return at.path.rpartition(".")[2].replace("_", "").lower()


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_nothing(value: JsonValue | Missing) -> bool:
    return value is None or value is Missing.KEY or value == "None"
