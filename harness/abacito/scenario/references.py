"""Values that a server makes up: what they are, by their fields, and which of them are the same on two servers."""

from __future__ import annotations

import copy
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import JsonValue

from abacito.scenario.ask import Target

Which = Literal["ours", "theirs"]

#: The kind of what a field holds, by its name in lower case without ``_``. ``id`` is of what the answer is about.
FIELDS = {
    "actorid": "actor",
    "executionid": "execution",
    "workerid": "worker",
    "cid": "container",
    "consumerkey": "client key",
    "clientkey": "client key",
    "clientid": "client key",
    "jti": "token",
    "owner": "user",
    "executor": "user",
    "username": "user",
    "lastupdatedby": "user",
    "tenant": "tenant",
    "tenantid": "tenant",
    "hostip": "host",
    "apiserver": "host",
    "baseurl": "host",
}
#: What a path or a list is about, and with it the ``id`` in its answers.
COLLECTIONS = {"actors": "actor", "executions": "execution", "workers": "worker", "nonces": "nonce"}
#: Variables of an actor, and names in texts, that say what stands behind them.
NAMED = {
    "_abaco_actor_id": "actor",
    "_abaco_execution_id": "execution",
    "_abaco_worker_id": "worker",
    "_abaco_actor_dbid": "dbid",
    "_abaco_access_token": "token",
    "_abaco_jwt_header_name": "header",
    "access_token": "token",
    "refresh_token": "token",
    "x-nonce": "nonce",
    "HOSTNAME": "host",
}
#: Fields below which everything is the user's own, whatever it is called.
USERS_OWN = {"state", "msg", "defaultEnvironment", "default_environment"}
#: Kinds of which only that there is one is compared, not which: an Abaco has one host or several, and which of an
#: actor's workers takes a message is chance.
LOOSE = {"host", "worker"}
_SECRET = re.compile(r"(?:token|secret|password|assertion|apikey)$")
_SHORTEST = 6  # characters; what is shorter may stand in any text by chance

_DAY, _MONTH = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)", "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_CLOCK = r"\d\d:\d\d:\d\d"
_TIME = "|".join(
    [
        r"(?<!\d)\d{4}-\d\d-\d\d(?:[T ]\d\d(?::\d\d(?::\d\d(?:[.,][\dZ]+)?)?)?)?(?:Z|[+-]\d\d:?\d\d)?(?!\d)",
        rf"{_DAY}, \d\d {_MONTH} \d{{4}} {_CLOCK} GMT",
        rf"{_DAY} {_MONTH} [ \d]\d {_CLOCK}(?: [A-Z]{{3,4}})? \d{{4}}",
        r"(?<=Time_msg_queued=)\d+(?:\.\d+)?",  # (a variable of Abaco's own)
        r"(?<![\w.])1[5-9]\d{8}(?:\d{3})?(?:\.\d+)?(?![\w.])",  # seconds or milliseconds since 1970
    ]
)
_TOKEN = r"eyJ[\w-]{8,}\.[\w-]+\.[\w-]*"
_CONTAINER = r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])"
# A user's name may be any word, such as "admin": in texts it is one only where Abaco puts it.
_USER = r"(?:(?<=_abaco_username=)|(?<=/profiles/v2/)|(?<=/v3/oauth2/profiles/))[\w.@-]+"
_HOST = r"https?://[^/\s\"'<>\\]+"
_NAMED = re.compile(rf"(?<![\w-])({'|'.join(NAMED)})['\"]?[ \t]*[=:][ \t]*['\"]?([^\s'\"&,}}]+)")
_SHAPES = {"time": re.compile(_TIME), "host": re.compile(r"[^\s\"'<>]+"), "user": re.compile(r"[\w.@-]+")}
_ANY_SHAPE = re.compile(r"[\w.\-]+")
_TO_THE_MILLISECOND = len("yyyymmddhhmmssfff")
_FINER = re.compile(r"\d[.,]\d{3,}")


def kind_of(key: str, record: Mapping[str, JsonValue], about: str) -> str | None:
    """What kind of made-up value the field holds, if it is text; None for one that says what it says."""
    name = key.replace("_", "").lower()
    if name == "id":
        return about
    if name == "value" and record.get("isSecret"):
        return "secret"
    if (known := FIELDS.get(name)) is not None:
        return known
    found = _SECRET.search(name)
    return None if found is None else ("token" if found[0] == "token" else "secret")


def about_path(path: str) -> str:
    """What kind of thing answers at a path: its last collection's, or ``thing``."""
    parts = path.partition("?")[0].split("/")
    return next((COLLECTIONS[part] for part in reversed(parts) if part in COLLECTIONS), "thing")


def time_shape(text: str) -> str | None:
    """How the text writes a time (``0000-00-00T00:00:00.000Z``); None if it is no time."""
    if _SHAPES["time"].fullmatch(text) is None:
        return None
    text = re.sub(r"(?<= ) (?=\d)", "0", text)  # (the 4th of a month, where others have two digits)
    return re.sub(r"\d", "0", re.sub(_MONTH, "Jan", re.sub(_DAY, "Mon", text)))


def moment(text: str) -> str:
    """Which time it is, to the millisecond: Abaco writes one and the same with six digits first, with three later."""
    return re.sub(r"\D", "", text)[:_TO_THE_MILLISECOND] if _FINER.search(text) else text


def is_fine(text: str) -> bool:
    """Whether a time is told more finely than to the second: only then two can be equal by more than chance."""
    return _FINER.search(text) is not None


@dataclass(frozen=True, slots=True)
class Mention:
    """A made-up value within a text."""

    kind: str
    value: str


@dataclass(frozen=True, slots=True)
class Template:
    """A text as what is said between its made-up values: ``words`` are one more than ``mentions``, and around them."""

    words: tuple[str, ...]
    mentions: tuple[Mention, ...]

    def values_in(self, text: str) -> list[str] | None:
        """What stands in the text where this has its mentions; None if it says something else."""
        first, *rest = self.words
        if not text.startswith(first) or (not rest and text != first):
            return None
        found: list[str] = []
        at = len(first)
        for mention, words in zip(self.mentions, rest, strict=True):
            is_last = len(found) == len(self.mentions) - 1
            end = _end(text, words, at, is_last)
            if end <= at or not _SHAPES.get(mention.kind, _ANY_SHAPE).fullmatch(text, at, end):
                return None
            found.append(text[at:end])
            at = end + len(words)
        return found


def _end(text: str, words: str, at: int, is_last: bool) -> int:
    """Where the value ends that begins at ``at`` and has these words behind it; -1 if they are not there."""
    if is_last:
        return len(text) - len(words) if text.endswith(words) else -1
    return text.find(words, at + 1) if words else -1


class Knowledge:
    """What is known of one server's made-up values: whatever stood once in such a field is found in every text."""

    def __init__(self, target: Target) -> None:
        self._kinds: dict[str, str] = {urlsplit(target.base_url).netloc: "host"}
        for token in filter(None, (target.token, *target.tokens_by_user.values())):
            self._kinds[token] = "token"
        self._scanner: re.Pattern[str] | None = None
        #: Ids of actors that a story has made or met other than in a list.
        self.met: set[str] = set()

    def learn(self, path: str, answer: JsonValue) -> None:
        """Take note of what stands in the answer to a request of this path."""
        for kind, value, is_listed in _found(answer, None, about_path(path)):
            self._kinds.setdefault(value, kind)
            if kind == "actor" and not is_listed:
                self.met.add(value)
        self._scanner = None

    def template(self, text: str) -> Template:
        """The text, its made-up values told apart from its words."""
        words, mentions, at = [], [], 0
        for found in self._scan.finditer(text):
            words.append(text[at : found.start()])
            kind = self._kind(found)
            mentions.append(Mention(kind, moment(found[0]) if kind == "time" else found[0]))
            at = found.end()
        return Template((*words, text[at:]), tuple(mentions))

    @property
    def _scan(self) -> re.Pattern[str]:
        if self._scanner is None:
            known = [value for value, kind in self._kinds.items() if kind != "user" and len(value) >= _SHORTEST]
            longest_first = "|".join(re.escape(value) for value in sorted(known, key=len, reverse=True))
            known_ones = f"(?<![A-Za-z0-9])(?:{longest_first})(?![A-Za-z0-9])"
            kinds = {"token": _TOKEN, "host": _HOST, "user": _USER, "known": known_ones, "time": _TIME}
            kinds["container"] = _CONTAINER
            self._scanner = re.compile("|".join(f"(?P<{kind}>{pattern})" for kind, pattern in kinds.items()))
        return self._scanner

    def _kind(self, found: re.Match[str]) -> str:
        kind = str(found.lastgroup)
        return self._kinds[found[0]] if kind == "known" else kind


def _found(value: JsonValue, kind: str | None, about: str, is_listed: bool = False) -> Iterator[tuple[str, str, bool]]:
    """Every made-up value in it: its kind, itself, whether it stands in a list."""
    if isinstance(value, dict):
        for key, item in value.items():
            own_kind = kind_of(key, value, about)
            yield from _found({} if key in USERS_OWN else item, own_kind, COLLECTIONS.get(key, about), is_listed)
    elif isinstance(value, list):
        for item in value:
            yield from _found(item, kind, about, True)
    elif isinstance(value, str) and kind is not None and value:
        yield kind, value, is_listed
    elif isinstance(value, str):
        yield from ((NAMED[name], named, True) for name, named in _NAMED.findall(value))


class Pairs:
    """Which value of ours stands for which of theirs: each for one, once they have met at the same place.

    Values are numbered by kind, in the order in which they are met; a pair has one number.
    """

    def __init__(self) -> None:
        self._theirs: defaultdict[tuple[str, str], dict[str, str]] = defaultdict(dict)
        self._ours: defaultdict[tuple[str, str], dict[str, str]] = defaultdict(dict)
        self._numbers: defaultdict[tuple[Which, str], dict[str, int]] = defaultdict(dict)
        self._last: Counter[str] = Counter()

    def copy(self) -> Self:
        """One to try something with."""
        return copy.deepcopy(self)

    def fit(self, kind: str, ours: str, theirs: str, within: str = "") -> bool:
        """Whether they may stand for each other; if neither has met another (``within`` that thing), from now on."""
        if kind in LOOSE:
            self._number_both(kind, ours, theirs)
            return True
        of_ours, of_theirs = self._theirs[kind, within], self._ours[kind, within]
        if ours in of_ours or theirs in of_theirs:
            return of_ours.get(ours) == theirs
        of_ours[ours], of_theirs[theirs] = theirs, ours
        self._number_both(kind, ours, theirs)
        return True

    def in_our_words(self, kind: str, theirs: str) -> str:
        """Our value that this one of theirs stands for; itself if there is none."""
        return self._ours[kind, ""].get(theirs, theirs)

    def name(self, which: Which, kind: str, value: str) -> str:
        """``<actor 2>``."""
        numbers = self._numbers[which, kind]
        if value not in numbers:
            numbers[value] = self._next(kind)
        return f"<{kind} {numbers[value]}>"

    def _number_both(self, kind: str, ours: str, theirs: str) -> None:
        mine, others = self._numbers["ours", kind], self._numbers["theirs", kind]
        number = mine.get(ours) or others.get(theirs) or self._next(kind)
        mine.setdefault(ours, number)
        others.setdefault(theirs, number)

    def _next(self, kind: str) -> int:
        self._last[kind] += 1
        return self._last[kind]
