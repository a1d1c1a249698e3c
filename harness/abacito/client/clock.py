"""The clock of a running emulator, by HTTP."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self

import requests

from abacito.abaco.errors import Misconfigured, Refusal

#: ``POST /_abacito/clock`` with this body, or ``GET`` without one.
Ask = Callable[[dict[str, Any] | None], requests.Response]


@dataclass(frozen=True)
class Moved:
    """A clock that was just moved; as a context manager it is set back at the end to what it was before.

    ``now``: what it shows (aware, in UTC); ``offset``: how far that is from the machine's time; ``cron_runs``: how many
    cron executions fell due on the way.
    """

    now: datetime
    offset: timedelta
    is_frozen: bool
    cron_runs: int
    _set_back: Callable[[], object]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._set_back()


class Clock:
    """A tenant's time. All but ``now`` answer the clock as it is then, which sets itself back after a ``with``.

    Raises Refusal for times and spans that are none, and for going backwards unless forced; Misconfigured where
    there is no clock to be moved, as on a live Abaco.
    """

    def __init__(self, ask: Ask, url: str) -> None:
        self._ask, self._url = ask, url

    @property
    def now(self) -> datetime:
        """What it shows, aware, in UTC."""
        return self._moved(self._facts(None), {}).now

    def travel(self, by: str | timedelta | None = None, *, force: bool = False, **span: float) -> Moved:
        """Go on by so much; what falls due on the way is run, each at its own time.

        ``"4h1m"`` (also ``s``, ``d`` and ``w``), a timedelta, or the words of one: ``hours=4, minutes=1``. A span below
        zero goes back, which is refused without ``force``: what has expired or has run stays so.
        """
        return self._change("travel", _span(by, span), force)

    def tick(self, by: str | timedelta | None = None, **span: float) -> Moved:
        """Go on by so much, as ``travel`` does; said of a clock that stands still, and does so there."""
        return self._change("tick", _span(by, span), False)

    def at(self, moment: str | datetime, *, force: bool = False) -> Moved:
        """Go to this moment, ``"2026-11-23 09:00"``; without a zone it is UTC. Backwards only with ``force``."""
        return self._change("at", _moment(moment), force)

    def freeze(self, at: str | datetime | None = None, *, force: bool = False) -> Moved:
        """Stand still, here or at this moment, until ``tick``, ``travel``, ``at``, ``unfreeze`` or ``reset``."""
        return self._change("freeze", True if at is None else _moment(at), force)

    def unfreeze(self) -> Moved:
        """Go on from where it stands."""
        return self._change("freeze", False, False)

    def reset(self) -> Moved:
        """Show the machine's time again."""
        return self._change("reset", True, False)

    def _change(self, verb: str, value: object, force: bool) -> Moved:
        before = self._facts(None)
        return self._moved(self._facts({verb: value, "force": force}), before)

    def _moved(self, facts: dict[str, Any], before: dict[str, Any]) -> Moved:
        now = datetime.fromisoformat(facts["now"])
        offset = timedelta(seconds=facts["offset_s"])
        return Moved(now, offset, facts["frozen"], facts["cron_runs"], lambda: self._set(before))

    def _set(self, before: dict[str, Any]) -> None:
        """As it was; the time since then has passed for a clock that went."""
        self._facts({"reset": True})
        if before["frozen"]:
            self._facts({"freeze": before["now"], "force": True})
        elif before["offset_s"]:
            self._facts({"travel": f"{before['offset_s']:f}s", "force": True})

    def _facts(self, body: dict[str, Any] | None) -> dict[str, Any]:
        answer = self._ask(body)
        if answer.status_code == requests.codes.not_found:
            raise Misconfigured(f"{self._url} is no abacito: only an emulator's clock can be looked at and moved")
        facts = answer.json()
        if not answer.ok:
            raise Refusal(facts["message"])
        return dict(facts)


def _span(by: str | timedelta | None, parts: dict[str, float]) -> str:
    if isinstance(by, str):
        return by
    return f"{((by or timedelta()) + timedelta(**parts)).total_seconds():f}s"


def _moment(given: str | datetime) -> str:
    return given.isoformat() if isinstance(given, datetime) else given
