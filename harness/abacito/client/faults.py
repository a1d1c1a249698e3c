"""Faults of a running emulator, by HTTP: set, counted and cleared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Protocol, Self, TypedDict, Unpack

import requests

from abacito.abaco.errors import Misconfigured, Refusal

#: A method, a path and a body, to the emulator.
Ask = Callable[[str, str, dict[str, Any] | None], requests.Response]
_PATH = "/_abacito/faults"


class Named(Protocol):
    """What has an id: an actor."""

    @property
    def id(self) -> str:
        """Its id."""
        ...


class Often(TypedDict, total=False):
    """How often a fault strikes: so many ``times`` (1; 0: until it is cleared), each occasion with ``probability`` (1);
    which occasions it are follows from ``seed``."""

    times: int
    probability: float
    seed: int


class Fault:
    """A fault that is set: its ``id``, its ``kind``, and the ``seed`` that repeats what it struck.

    As a context manager it is cleared at the end.
    """

    def __init__(self, told: dict[str, Any], faults: Faults) -> None:
        self._told, self._faults, self._is_cleared = told, faults, False
        self.id, self.kind, self.seed = str(told["id"]), str(told["kind"]), int(told["seed"])

    def __repr__(self) -> str:
        return f"<fault {self.id}: {self.kind}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.clear()

    @property
    def struck(self) -> int:
        """How often it has struck."""
        return int(self.details["struck"])

    @property
    def left(self) -> int | None:
        """How often it may strike yet; None: any number of times."""
        left = self.details["left"]
        return None if left is None else int(left)

    @property
    def details(self) -> dict[str, Any]:
        """All that is told of it, as it is now, or was when it was cleared."""
        if not self._is_cleared:
            self._told = next((each for each in self._faults.list() if each["id"] == self.id), self._told)
        return self._told

    def clear(self) -> None:
        """Have it strike no more; what it has struck stays so. Safe to repeat."""
        if not self._is_cleared:
            self._told = self._faults.clear(self.id)[0]
            self._is_cleared = True


class Faults:
    """What is to go wrong. An ``actor`` is one that was registered, an id, an alias or an image; None: all of them.

    Each fault strikes the next occasion, once unless ``times`` says more (``Often``). Seconds are real ones. Raises
    Refusal for a fault that makes no sense; Misconfigured where there are none, as on a live Abaco.
    """

    def __init__(self, ask: Ask, url: str) -> None:
        self._ask, self._url = ask, url

    def add(self, kind: str, actor: Named | str | None = None, **fields: Any) -> Fault:
        """Set a fault of this kind, with the fields that ``POST /_abacito/faults`` takes."""
        named = {} if actor is None else {"actor": actor if isinstance(actor, str) else actor.id}
        return Fault(self._facts("POST", _PATH, {"kind": kind, **named, **fields}), self)

    def list(self) -> Sequence[dict[str, Any]]:
        """All that are set, as they are told, oldest first."""
        return list(self._facts("GET", _PATH)["faults"])

    def clear(self, id: str | None = None) -> Sequence[dict[str, Any]]:
        """Clear that one, or all; how they stood."""
        return list(self._facts("DELETE", _PATH if id is None else f"{_PATH}/{id}")["faults"])

    def start_fails(self, actor: Named | str | None = None, **often: Unpack[Often]) -> Fault:
        """The next container does not start; six in a row put its actor into ERROR."""
        return self._of("start_fails", actor, often)

    def killed(self, actor: Named | str | None = None, after_s: float = 0.0, **often: Unpack[Often]) -> Fault:
        """The next container is killed after so many seconds, with exit code 137, unless it has ended by then."""
        return self._of("killed", actor, often, after_s=after_s)

    def out_of_memory(self, actor: Named | str | None = None, after_s: float = 0.0, **often: Unpack[Often]) -> Fault:
        """The next container is killed after so many seconds, and ``final_state`` says ``OOMKilled``."""
        return self._of("out_of_memory", actor, often, after_s=after_s)

    def exits(self, actor: Named | str | None = None, exit_code: int = 1, **often: Unpack[Often]) -> Fault:
        """The next container does its work and ends with this exit code."""
        return self._of("exits", actor, often, exit_code=exit_code)

    def hangs(self, actor: Named | str | None = None, **often: Unpack[Often]) -> Fault:
        """The next container does its work and does not end, until it is halted or killed."""
        return self._of("hangs", actor, often)

    def loses_results(self, actor: Named | str | None = None, **often: Unpack[Often]) -> Fault:
        """What the next container sends as results is lost."""
        return self._of("loses_results", actor, often)

    def loses_logs(self, actor: Named | str | None = None, **often: Unpack[Often]) -> Fault:
        """What the next container prints is lost."""
        return self._of("loses_logs", actor, often)

    def token_revoked(self, actor: Named | str | None = None, after_s: float = 0.0, **often: Unpack[Often]) -> Fault:
        """The next container's token is revoked after so many seconds; 0: before it can use it."""
        return self._of("token_revoked", actor, often, after_s=after_s)

    def delivered_twice(self, actor: Named | str | None = None, **often: Unpack[Often]) -> Fault:
        """The next message comes a second time; it has one execution, and runs once."""
        return self._of("delivered_twice", actor, often)

    def runner_away(self, **often: Unpack[Often]) -> Fault:
        """The daemon does not answer so many calls; with ``times=0`` none until this is cleared."""
        return self.add("runner_away", **often)

    def answers(
        self, path: str | None = None, status: int = 503, method: str | None = None, **often: Unpack[Often]
    ) -> Fault:
        """The next request to such a path is answered with this status, 400 to 599, before Abaco sees it.

        In a path ``*`` stands for any part, ``**`` for any parts; without a path, and without a method, all are meant.
        """
        return self.add("answers", path=path, status=status, method=method, **often)

    def slow(
        self, path: str | None = None, seconds: float = 1.0, method: str | None = None, **often: Unpack[Often]
    ) -> Fault:
        """The next request to such a path (as in ``answers``) waits so many seconds for its answer."""
        return self.add("slow", path=path, seconds=seconds, method=method, **often)

    def _of(self, kind: str, actor: Named | str | None, often: Often, **fields: Any) -> Fault:
        return self.add(kind, actor=actor, **fields, **often)

    def _facts(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        answer = self._ask(method, path, body)
        if answer.status_code == requests.codes.not_found:
            raise Misconfigured(f"{self._url} is no abacito: only in an emulator things go wrong on purpose")
        facts = answer.json()
        if not answer.ok:
            raise Refusal(facts["message"])
        return dict(facts)
