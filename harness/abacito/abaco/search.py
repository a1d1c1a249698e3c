"""Abaco's search language: query arguments to a query, a query over records to a page (http-api-more §4)."""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from abacito.abaco.errors import Unrecognized

#: One stored record, by Abaco's own snake names. Its times are aware; those within a ``final_state`` may be ISO texts.
Record = Mapping[str, Any]

DEFAULT_LIMIT = 100
#: A regular expression may be so long; Abaco leaves this to MongoDB.
MAX_PATTERN_LENGTH = 1000

#: An argument whose name has one of these in it is compared with dates. Abaco's list lacks ``finish_time``.
TIME_NAMES = (
    "start_time",
    "finish_time",
    "message_received_time",
    "last_execution_time",
    "last_update_time",
    "StartedAt",
    "FinishedAt",
    "create_time",
    "last_health_check_time",
)

#: The words that are not text, in any case.
CONSTANTS: Mapping[str, bool | None] = MappingProxyType({"true": True, "false": False, "none": None})

_BAD_TYPE = "'Inputted search_type is invalid, must be one of {list(store_dict.keys())}.'"  # the braces are Abaco's
_BAD_DATE = (
    "Inputted datetime was in an incorrect format. Please refer to docs and follow ISO 8601 formatting. "
    "e.g. '2020-05-01T14:45:41.591Z'"
)
_NOT_TWO = "Between must have two variables seperated by a comma. Ex. io.between=20,40"
_NOT_BOUNDS = "The values given to .between should be either float or ISO 8601 datetime."
_MONGO = "pymongo.errors.OperationFailure"

_ISO = re.compile(
    r"(?P<year>\d{4})(-(?P<month>\d\d?)(-(?P<day>\d\d?)"
    r"(T((?P<hour>\d\d?)(:(?P<minute>\d\d?)(:(?P<second>\d\d?)(\.(?P<fraction>\d{1,6}))?)?)?)?)?)?)?"
    r"((?P<sign>[+-])(?P<ahead_h>\d\d):?(?P<ahead_min>[0-5]\d))?Z?",
    re.ASCII,
)
_WORD = re.compile(r"\w+")
_QUOTED_OR_WORD = re.compile(r'(?P<minus>-?)"(?P<quoted>[^"]*)"|(?P<word>[^\s"]+)')


class SearchType(StrEnum):
    """What ``/actors/search/<type>`` can go through."""

    ACTORS = "actors"
    EXECUTIONS = "executions"
    WORKERS = "workers"
    LOGS = "logs"


def search_type(word: str) -> SearchType:
    """The type of that name, in any case. Raises Unrecognized in Abaco's words."""
    try:
        return SearchType(word.lower())
    except ValueError as error:
        raise Unrecognized("KeyError", _BAD_TYPE) from error


@dataclass(frozen=True, slots=True)
class Page:
    """What a search found: ``total`` counts all matches, ``records`` are those of this page."""

    total: int
    skipped: int
    limit: int
    records: Sequence[Record]

    @property
    def metadata(self) -> Mapping[str, int]:
        """The content of ``_metadata``, by its snake names."""
        return {
            "total_count": self.total,
            "records_skipped": self.skipped,
            "record_limit": self.limit,
            "count_returned": len(self.records),
        }


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator of the language.

    ``holds`` tells whether one stored value is as wanted; a list is as wanted when it, or an element of it, is.
    ``negated`` turns the answer for the whole record. ``ready`` makes, of the typed value and of its text as it was
    written, what ``holds`` wants; it raises Unrecognized for a value that the operator cannot have.
    """

    holds: Callable[[Any, Any], bool]
    negated: bool = False
    ready: Callable[[Any, str], Any] = lambda value, _: value


@dataclass(frozen=True, slots=True)
class Filter:
    """One condition on one field (dots lead into nested ones); ``is_of_time`` has stored texts read as dates."""

    field: str
    operator: Operator
    wanted: Any
    is_of_time: bool = False

    def admits(self, record: Record) -> bool:
        """Whether the record passes; a field that it lacks is null."""
        values = _values_at(record, self.field)
        if self.is_of_time:
            values = [_as_moment(value) for value in values]
        return any(self.operator.holds(value, self.wanted) for value in values) is not self.operator.negated


@dataclass(frozen=True, slots=True)
class Words:
    """The argument ``search``, casefolded: ``wanted`` only ranks, the rest lets in and keeps out.

    An ``unwanted`` word may be several to us (``a/b``): a record that has all of them is kept out.
    """

    wanted: frozenset[str] = frozenset()
    unwanted: tuple[frozenset[str], ...] = ()
    phrases: tuple[str, ...] = ()
    unwanted_phrases: tuple[str, ...] = ()

    def admits(self, texts: Sequence[str]) -> bool:
        """Whether a record with these texts stays."""
        words = _words_of(texts)
        is_kept_out = any(each <= words for each in self.unwanted) or any(
            _is_in(phrase, texts) for phrase in self.unwanted_phrases
        )
        return not is_kept_out and all(_is_in(phrase, texts) for phrase in self.phrases)

    def score(self, texts: Sequence[str]) -> int:
        """How many of the wanted words these texts have."""
        return len(self.wanted & _words_of(texts))


NO_WORDS = Words()


@dataclass(frozen=True, slots=True)
class Query:
    """A search, understood: all its conditions hold together."""

    limit: int = DEFAULT_LIMIT
    skip: int = 0
    filters: tuple[Filter, ...] = ()
    words: Words = NO_WORDS
    phrase: str = ""  # of ``exactsearch``, casefolded

    @property
    def is_plain(self) -> bool:
        """Whether it only pages: each record matches, in the order in which they come."""
        return not self.filters and not self.phrase and self.words == NO_WORDS

    def also(self, field: str, value: str) -> Query:
        """The same with one condition more: the field has this value."""
        return replace(self, filters=(*self.filters, Filter(field, OPERATORS[".eq"], value)))

    def page(self, records: Iterable[Record]) -> Page:
        """The matching records, those with most of the wanted words first, else in the order in which they come."""
        found = [record for record in records if self._admits(record)]
        if self.words.wanted:
            found.sort(key=lambda record: self.words.score(_texts_in(record)), reverse=True)
        return Page(len(found), self.skip, self.limit, found[self.skip : self.skip + self.limit])

    def _admits(self, record: Record) -> bool:
        if not all(each.admits(record) for each in self.filters):
            return False
        if not self.phrase and self.words == NO_WORDS:
            return True
        texts = _texts_in(record)
        return (not self.phrase or _is_in(self.phrase, texts)) and self.words.admits(texts)


def parse(arguments: Iterable[tuple[str, str]], *, camel: bool) -> Query:
    """The query that these arguments are; of a repeated one the first counts. ``camel`` also takes camel case names.

    Raises Unrecognized for what Abaco would have failed at (http-api-more §4.6).
    """
    first: dict[str, str] = {}
    for name, text in arguments:
        first.setdefault(_snake(name) if camel else name, text)
    first.pop("x-nonce", None)
    return Query(
        limit=_count("limit", first.pop("limit", str(DEFAULT_LIMIT))),
        skip=_count("skip", first.pop("skip", "0")),
        words=_words(first.pop("search", "")),
        phrase=first.pop("exactsearch", "").casefold(),
        filters=tuple(_filter(name, text) for name, text in first.items()),
    )


def _snake(argument: str) -> str:
    """``finalState.StartedAt.gt`` is ``final_state.StartedAt.gt``: what users put inside a value is theirs."""
    field, dot, rest = argument.partition(".")
    return re.sub("[A-Z]", lambda letter: f"_{letter[0].lower()}", field) + dot + rest


def _count(name: str, text: str) -> int:
    try:
        number = int(text)
    except ValueError as error:
        raise Unrecognized("ValueError", f'Inputted "{name}" paramater must be an int. Received: {text}') from error
    if number < 0:
        raise Unrecognized("ValueError", f'Inputted "{name}" must be positive. Received: {number}')
    return number


def _filter(argument: str, text: str) -> Filter:
    mark = next((each for each in OPERATORS if each in argument), "")
    chosen = OPERATORS[mark or ".eq"]
    is_of_time = any(name in argument for name in TIME_NAMES)
    value = _typed(text, is_of_time=is_of_time, is_range=mark == ".between")
    field = argument.partition(mark)[0] if mark else argument
    return Filter(field, chosen, chosen.ready(value, text), is_of_time)


def _typed(text: str, *, is_of_time: bool, is_range: bool) -> Any:
    """The value that a text stands for: the first of Abaco's five readings that fits (http-api-more §4.5)."""
    if text.lower() in CONSTANTS:
        return CONSTANTS[text.lower()]
    if is_of_time:
        return tuple(_date(each) for each in _two(text)) if is_range else _date(text)
    try:
        return float(text)
    except ValueError:
        return _json_or_text(text)


def _json_or_text(text: str) -> Any:
    """JSON, with quotes of either kind; an object is a literal, never a condition of MongoDB's."""
    try:
        return json.loads(text.replace("'", '"'))
    except (ValueError, RecursionError):  # a number of too many digits is a ValueError as well
        return text


def _date(text: str) -> datetime:
    moment = _moment(text)
    if moment is None:
        raise Unrecognized("ValueError", _BAD_DATE)
    return moment


def _moment(text: str) -> datetime | None:
    """The earliest moment of an ISO text that may end anywhere, in UTC; None when it is no such text."""
    match = _ISO.fullmatch(text)
    if match is None:
        return None
    month, day = (int(match[part] or 1) for part in ("month", "day"))
    hour, minute, second = (int(match[part] or 0) for part in ("hour", "minute", "second"))
    fraction = int((match["fraction"] or "").ljust(6, "0"))
    try:
        return datetime(int(match["year"]), month, day, hour, minute, second, fraction, _zone(match)).astimezone(UTC)
    except (ValueError, OverflowError):  # a 30th of February; the year 1 with an offset
        return None


def _zone(match: re.Match[str]) -> timezone:
    if match["sign"] is None:
        return UTC
    ahead = timedelta(hours=int(match["ahead_h"]), minutes=int(match["ahead_min"]))
    return timezone(-ahead if match["sign"] == "-" else ahead)


def _two(text: str) -> tuple[str, str]:
    match text.split(","):
        case [low, high]:
            return low, high
    raise Unrecognized("ValueError", _NOT_TWO)


def _bounds(value: Any, _: str) -> tuple[Any, Any]:
    match value:
        case (datetime() as low, datetime() as high):
            return low, high
        case None | bool() | float():
            raise Unrecognized("TypeError", f"argument of type '{type(value).__name__}' is not iterable")
        case str() if "," in value:
            return _numbers(*_two(value))
    raise Unrecognized("ValueError", _NOT_BOUNDS)


def _numbers(low: str, high: str) -> tuple[float, float]:
    try:
        return float(low), float(high)
    except ValueError as error:
        raise Unrecognized("ValueError", _NOT_BOUNDS) from error


def _choices(value: Any, _: str) -> list[Any]:
    if isinstance(value, list):
        return value
    raise Unrecognized(_MONGO, "$in needs an array")


def _pattern(value: Any, text: str) -> re.Pattern[str]:
    """The typed value's own text: ``true`` looks for ``True``, ``3`` for ``3.0``. What looks like JSON stays itself."""
    pattern = text if isinstance(value, list | dict) else str(value)
    if len(pattern) > MAX_PATTERN_LENGTH:
        raise _bad_pattern(pattern, f"it has more than {MAX_PATTERN_LENGTH} characters")
    try:
        return re.compile(pattern)
    except (re.error, OverflowError, RecursionError, FutureWarning) as error:
        # A huge repeat overflows, groups in groups recurse; a nested set only warns, where warnings are no errors.
        raise _bad_pattern(pattern, str(error)) from error


def _bad_pattern(pattern: str, reason: str) -> Unrecognized:
    shown = pattern if len(pattern) <= MAX_PATTERN_LENGTH else f"{pattern[:50]}…"
    return Unrecognized(_MONGO, f"Regular expression is invalid: {reason}. Received: {shown}")


def _equals(stored: Any, wanted: Any) -> bool:
    """Equal all the way down, and true is not 1. Goes through nested values without recursion: users make them deep."""
    pairs = [(stored, wanted)]
    while pairs:
        within = _inner_pairs(*pairs.pop())
        if within is None:
            return False
        pairs += within
    return True


def _inner_pairs(one: Any, other: Any) -> list[tuple[Any, Any]] | None:
    """What must be equal for these two to be; None when they are not."""
    match one, other:
        case Mapping(), Mapping():
            return [(one[key], other[key]) for key in one] if one.keys() == other.keys() else None
        case list(), list():
            return list(zip(one, other, strict=True)) if len(one) == len(other) else None
    return [] if isinstance(one, bool) is isinstance(other, bool) and one == other else None


def _is_one_of(stored: Any, wanted: Sequence[Any]) -> bool:
    return any(_equals(stored, each) for each in wanted)


def _compares(holds: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    return lambda stored, wanted: _are_alike(stored, wanted) and holds(stored, wanted)


def _is_within(stored: Any, bounds: tuple[Any, Any]) -> bool:
    low, high = bounds
    return _are_alike(stored, low) and bool(low <= stored <= high)


def _are_alike(one: Any, other: Any) -> bool:
    """Whether both are numbers, dates or texts; true and false are none of these."""
    if isinstance(one, bool) or isinstance(other, bool):
        return False
    return any(isinstance(one, kind) and isinstance(other, kind) for kind in (int | float, datetime, str))


def _is_like(stored: Any, pattern: re.Pattern[str]) -> bool:
    return isinstance(stored, str) and pattern.search(stored) is not None


#: By what marks them in an argument's name, in the order in which they are looked for there (http-api-more §4.4).
OPERATORS: Mapping[str, Operator] = MappingProxyType(
    {
        ".neq": Operator(_equals, negated=True),
        ".eq": Operator(_equals),
        ".lte": Operator(_compares(operator.le)),
        ".lt": Operator(_compares(operator.lt)),
        ".gte": Operator(_compares(operator.ge)),
        ".gt": Operator(_compares(operator.gt)),
        ".nin": Operator(_is_one_of, negated=True, ready=_choices),
        ".in": Operator(_is_one_of, ready=_choices),
        ".between": Operator(_is_within, ready=_bounds),
        ".nlike": Operator(_is_like, negated=True, ready=_pattern),
        ".like": Operator(_is_like, ready=_pattern),
    }
)


def _values_at(record: Record, field: str) -> list[Any]:
    """All that a filter on this field may meet: the value, a list's elements too; null where there is none."""
    found: list[Any] = [record]
    for name in field.split("."):
        found = _with_elements(value[name] for value in found if isinstance(value, Mapping) and name in value)
    if field == "actor_id":
        # Stored as <TENANT>_<id>, shown as <id>: Abaco finds only the first, which nobody can know.
        found += [value.rpartition("_")[2] for value in found if isinstance(value, str)]
    return found or [None]


def _with_elements(values: Iterable[Any]) -> list[Any]:
    return [each for value in values for each in ([value, *value] if isinstance(value, list) else [value])]


def _as_moment(stored: Any) -> Any:
    """A text that is a date, as a date: a ``final_state`` keeps Docker's times as they are shown."""
    return (_moment(stored) or stored) if isinstance(stored, str) else stored


def _texts_in(record: Record) -> list[str]:
    """All texts of a record, of nested values too, casefolded."""
    texts: list[str] = []
    values: list[Any] = [record]
    while values:
        match values.pop():
            case str() as text:
                texts.append(text.casefold())
            case Mapping() as inner:
                values += inner.values()
            case list() as inner:
                values += inner
    return texts


def _is_in(phrase: str, texts: Sequence[str]) -> bool:
    return any(phrase in text for text in texts)


def _words_of(texts: Iterable[str]) -> frozenset[str]:
    return frozenset(word for text in texts for word in _WORD.findall(text))


def _words(text: str) -> Words:
    """``sleep -loop "a phrase" -"another"``: what each part is for; a quote without its partner is none."""
    parts = list(_QUOTED_OR_WORD.finditer(text.casefold()))
    words = [part["word"] for part in parts if part["word"]]
    quoted = [(part["minus"], part["quoted"]) for part in parts if part["quoted"]]
    unwanted = (_words_of([word]) for word in words if word.startswith("-"))
    return Words(
        wanted=_words_of(word for word in words if not word.startswith("-")),
        unwanted=tuple(each for each in unwanted if each),
        phrases=tuple(phrase for minus, phrase in quoted if not minus),
        unwanted_phrases=tuple(phrase for minus, phrase in quoted if minus),
    )
