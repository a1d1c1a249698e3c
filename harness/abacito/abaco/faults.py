"""Faults on purpose: what may go wrong with containers, messages, tokens and answers, and when it does."""

from __future__ import annotations

import difflib
import random
import re
import secrets
import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from abacito.abaco.errors import Absent, Malformed

if TYPE_CHECKING:
    from abacito.abaco.actor import Actor
    from abacito.abaco.alias import Alias

METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
_LONGEST_S = 3600.0
_SEEDS = 2**32


class FaultKind(StrEnum):
    """What goes wrong."""

    START_FAILS = "start_fails"
    KILLED = "killed"
    OUT_OF_MEMORY = "out_of_memory"
    EXITS = "exits"
    HANGS = "hangs"
    LOSES_RESULTS = "loses_results"
    LOSES_LOGS = "loses_logs"
    TOKEN_REVOKED = "token_revoked"
    DELIVERED_TWICE = "delivered_twice"
    RUNNER_AWAY = "runner_away"
    ANSWERS = "answers"
    SLOW = "slow"


@dataclass(frozen=True, slots=True)
class Kind:
    """What a kind of fault does, in a phrase, and which fields it has beside those that all have."""

    help: str
    fields: tuple[str, ...] = ("actor",)


KINDS: Mapping[FaultKind, Kind] = {
    FaultKind.START_FAILS: Kind("a container does not start"),
    FaultKind.KILLED: Kind("a container is killed (137)", ("actor", "after_s")),
    FaultKind.OUT_OF_MEMORY: Kind("a container is killed for want of memory (137)", ("actor", "after_s")),
    FaultKind.EXITS: Kind("a container ends with another exit code", ("actor", "exit_code")),
    FaultKind.HANGS: Kind("a container does not end until it is halted or killed"),
    FaultKind.LOSES_RESULTS: Kind("a container's results are lost"),
    FaultKind.LOSES_LOGS: Kind("a container's log is lost"),
    FaultKind.TOKEN_REVOKED: Kind("a container's token is revoked while it runs", ("actor", "after_s")),
    FaultKind.DELIVERED_TWICE: Kind("a message comes a second time"),
    FaultKind.RUNNER_AWAY: Kind("the daemon does not answer a call", ()),
    FaultKind.ANSWERS: Kind("a request is answered with an error", ("method", "path", "status")),
    FaultKind.SLOW: Kind("a request waits for its answer", ("method", "path", "seconds")),
}


@dataclass(frozen=True, slots=True)
class Subject:
    """What a fault may strike: a container or a message of an actor with this id and image, or a request."""

    actor: str = ""
    image: str = ""
    method: str = ""
    path: str = ""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. None matches all.

    ``actor`` is an id or an image, ``path`` a pattern: ``*`` stands for a part of it, ``**`` for any number of parts.
    ``times``: how often it may strike; 0: until it is cleared. ``probability``: of each occasion; which ones it are
    follows from ``seed`` and their order. ``struck`` counts. ``after_s``, ``seconds``: real ones.
    """

    kind: FaultKind
    actor: str | None = None
    method: str | None = None
    path: str | None = None
    after_s: float = 0.0
    exit_code: int = 1
    status: int = 503
    seconds: float = 1.0
    times: int = 1
    probability: float = 1.0
    seed: int | None = None
    id: str = ""
    struck: int = 0

    @property
    def left(self) -> int | None:
        """How often it may strike yet; None: any number of times."""
        return self.times - self.struck if self.times else None

    @property
    def is_over(self) -> bool:
        """Whether it strikes no more."""
        return self.left == 0

    def fits(self, subject: Subject) -> bool:
        """Whether it may strike that."""
        return (
            (self.actor is None or self.actor in (subject.actor, subject.image))
            and (self.method is None or self.method == subject.method)
            and (self.path is None or _pattern(self.path).fullmatch(subject.path) is not None)
        )

    def to_document(self) -> dict[str, Any]:
        """What it is told as: the fields that its kind has, then those that all have."""
        told = (*KINDS[self.kind].fields, *_OF_ALL)
        own = {name: getattr(self, name) for name in told}
        return {"id": self.id, "kind": str(self.kind), **own, "struck": self.struck, "left": self.left}


@lru_cache(maxsize=256)
def _pattern(path: str) -> re.Pattern[str]:
    words = {"**": ".*", "*": "[^/]*"}
    return re.compile("".join(words.get(part, re.escape(part)) for part in re.split(r"(\*\*|\*)", path)), re.DOTALL)


@dataclass(slots=True)
class _Armed:
    """A fault that is set, with what changes of it."""

    fault: Fault
    chance: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.fault.seed)

    def strikes(self) -> bool:
        """Whether it does on this occasion."""
        return self.chance.random() < self.fault.probability


class Faults:
    """The faults that are set, in this process. While none of a kind is, asking for it costs one look-up."""

    def __init__(self, new_seed: Callable[[], int] = lambda: secrets.randbelow(_SEEDS)) -> None:
        self._new_seed = new_seed
        self._lock = threading.Lock()
        self._set: dict[str, _Armed] = {}
        self._by_kind: dict[FaultKind, list[_Armed]] = {}
        self._made = 0

    def add(self, fault: Fault) -> Fault:
        """Set it; as it is then, with an id, and a seed if it had none."""
        seed = self._new_seed() if fault.seed is None else fault.seed
        with self._lock:
            self._made += 1
            made = replace(fault, id=f"f{self._made}", seed=seed, struck=0)
            self._set[made.id] = _Armed(made)
            self._index()
        return made

    def list(self) -> Sequence[Fault]:
        """All that are set, those that are over too, oldest first."""
        with self._lock:
            return [armed.fault for armed in self._set.values()]

    def clear(self, id: str | None = None) -> Sequence[Fault]:
        """Have that one, or all, strike no more; as they were. What is struck stays so. Raises Absent."""
        with self._lock:
            if id is not None and id not in self._set:
                raise Absent(f"No fault is set as {id!r}: {_nearest(id, self._set)}")
            gone = [self._set.pop(each).fault for each in ([*self._set] if id is None else [id])]
            self._index()
        return gone

    def has(self, kind: FaultKind) -> bool:
        """Whether one of this kind may strike at all."""
        return kind in self._by_kind

    def strike(self, kind: FaultKind, subject: Subject = Subject()) -> Fault | None:
        """The oldest fault of this kind that strikes now, counted; None: all is well."""
        if kind not in self._by_kind:
            return None
        with self._lock:
            for armed in self._by_kind.get(kind, ()):
                if armed.fault.fits(subject) and armed.strikes():
                    armed.fault = replace(armed.fault, struck=armed.fault.struck + 1)
                    self._index()
                    return armed.fault
        return None

    def missed(self, fault: Fault) -> None:
        """What it was to strike was over before: that does not count."""
        with self._lock:
            armed = self._set.get(fault.id)
            if armed is not None:
                armed.fault = replace(armed.fault, struck=armed.fault.struck - 1)
                self._index()

    def _index(self) -> None:
        by_kind: dict[FaultKind, list[_Armed]] = {}
        for armed in self._set.values():
            if not armed.fault.is_over:
                by_kind.setdefault(armed.fault.kind, []).append(armed)
        self._by_kind = by_kind


@dataclass(frozen=True, slots=True)
class Field:
    """A field as it is given: whether a value will do, and what a refusal says of it."""

    kind: type
    accepts: Callable[[Any], bool]
    help: str

    def read(self, name: str, value: object) -> Any:
        """The value. Raises Malformed."""
        kinds = (int, float) if self.kind is float else self.kind
        if isinstance(value, bool) or not isinstance(value, kinds) or not self.accepts(value):
            raise Malformed(f"{name} = {value!r}: it is {self.help}.")
        return self.kind(value)


def _is_time(value: float) -> bool:
    return 0 <= value <= _LONGEST_S


FIELDS: Mapping[str, Field] = {
    "actor": Field(str, bool, "an actor's id, an alias of it, or an image"),
    "after_s": Field(float, _is_time, "seconds after the start, an hour at most"),
    "exit_code": Field(int, lambda code: 0 <= code <= 255, "an exit code, 0 to 255"),
    "method": Field(str, lambda word: word in METHODS, f"one of {', '.join(METHODS)}"),
    "path": Field(str, lambda path: path.startswith("/"), "a path such as /actors/*/messages (**: any parts)"),
    "status": Field(int, lambda status: 400 <= status <= 599, "a status, 400 to 599"),
    "seconds": Field(float, _is_time, "seconds to wait, an hour at most"),
    "times": Field(int, lambda times: times >= 0, "how often it strikes; 0: until it is cleared"),
    "probability": Field(float, lambda chance: 0 < chance <= 1, "a probability, above 0, at most 1"),
    "seed": Field(int, lambda seed: seed >= 0, "a whole number, from which follows which occasions are struck"),
}
_OF_ALL = ("times", "probability", "seed")


def fault_of(given: Mapping[str, Any]) -> Fault:
    """The fault that these fields describe; a null is as good as nothing. Raises Malformed, naming the nearest."""
    kinds = {str(kind): kind for kind in KINDS}
    kind = kinds.get(str(given.get("kind")))
    if kind is None:
        raise Malformed(f"There is no fault {given.get('kind')!r}: {_nearest(given.get('kind'), kinds)}")
    known = (*KINDS[kind].fields, *_OF_ALL)
    for name in sorted(given.keys() - {"kind", *known}):
        raise Malformed(f"{kind} has no field {name!r}: {_nearest(name, known)}")
    values = {name: FIELDS[name].read(name, given[name]) for name in known if given.get(name) is not None}
    return Fault(kind, **values)


def actor_named(name: str, actors: Iterable[Actor], aliases: Iterable[Alias]) -> str:
    """An id or an image as it is, behind an alias its actor. Raises Malformed for what is none, naming the nearest."""
    known = {alias.name: alias.actor_id for alias in aliases}
    for actor in actors:
        known |= {own: own for own in (actor.id, actor.image) if own}
    if name not in known:
        raise Malformed(f"No actor has the id, alias or image {name!r}: {_nearest(name, known)}")
    return known[name]


def _nearest(name: object, known: Collection[str]) -> str:
    near = difflib.get_close_matches(str(name), known, n=1, cutoff=0.5)
    return f"did you mean {str(near[0])!r}?" if near else f"known are {', '.join(known) or 'none'}."
