"""A runner on which things go wrong on purpose, whichever runner it is."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from datetime import timedelta

from abacito.abaco.container import ContainerEnd, ContainerSpec
from abacito.abaco.errors import ContainerError, RunnerAway, StartRefused
from abacito.abaco.faults import Fault, FaultKind, Faults, Subject
from abacito.abaco.ports import Container, ContainerState, Runner
from abacito.abaco.time import real_monotonic
from abacito.containers.ending import KILLED

_KILLS = (FaultKind.KILLED, FaultKind.OUT_OF_MEMORY)
#: What befalls a container that starts.
_BEFALLING = (
    *_KILLS,
    FaultKind.EXITS,
    FaultKind.HANGS,
    FaultKind.LOSES_RESULTS,
    FaultKind.LOSES_LOGS,
    FaultKind.TOKEN_REVOKED,
)


class FaultyRunner:
    """A runner whose containers the ``faults`` strike. ``revoke`` ends an access token by its text."""

    def __init__(self, runner: Runner, faults: Faults, revoke: Callable[[str], None]) -> None:
        self._runner, self._faults, self._revoke = runner, faults, revoke
        self._fates: dict[str, _Fate] = {}

    @property
    def name(self) -> str:
        """The runner's own."""
        return self._runner.name

    @property
    def location(self) -> str:
        """The runner's own."""
        return self._runner.location

    def callback_host(self) -> str | None:
        """The runner's own."""
        return self._runner.callback_host()

    def prepare(self, image: str) -> str:
        """Have the image at hand. Raises ImageUnavailable, RunnerAway."""
        self.reach()
        return self._runner.prepare(image)

    def create(self, spec: ContainerSpec, on_result: Callable[[bytes], None]) -> Container:
        """Make the container; what befalls it is found out when it starts."""
        self.reach()
        subject = Subject(spec.labels.get("abacito.actor", ""), spec.image)
        token = spec.environment.get("_abaco_access_token") or ""
        fate = _Fate(spec.name, self._faults, self._revoke, subject, token)
        container = self._runner.create(spec, fate.taking(on_result))
        return _FaultyContainer(container, self, fate)

    def find(self, name: str) -> Container | None:
        """The container of that name, with what has befallen it. Raises RunnerAway."""
        self.reach()
        found = self._runner.find(name)
        if found is None:
            return None
        fate = self._fates.get(name) or _Fate(name, self._faults, self._revoke)
        return _FaultyContainer(found, self, fate)

    def names(self) -> Collection[str]:
        """The names of all containers. Raises RunnerAway."""
        self.reach()
        return self._runner.names()

    def clear(self) -> None:
        """Remove every container, those that hang too."""
        self._runner.clear()
        for name in list(self._fates):
            self.forget(name)

    def close(self) -> None:
        """Close the runner."""
        self.clear()
        self._runner.close()

    def reach(self) -> None:
        """Raises RunnerAway when it is away now."""
        fault = self._faults.strike(FaultKind.RUNNER_AWAY)
        if fault is not None:
            raise RunnerAway(f"The runner is away: fault {fault.id}.")

    def remember(self, fate: _Fate) -> None:
        """Whoever finds this container again finds what has befallen it."""
        if fate.faults:
            self._fates[fate.name] = fate

    def forget(self, name: str) -> None:
        """It is removed."""
        fate = self._fates.pop(name, None)
        if fate is not None:
            fate.let_go.set()


class _FaultyContainer:
    """A container and its fate."""

    def __init__(self, container: Container, runner: FaultyRunner, fate: _Fate) -> None:
        self._container, self._runner, self._fate = container, runner, fate

    @property
    def id(self) -> str:
        return self._container.id

    @property
    def image_id(self) -> str:
        return self._container.image_id

    def state(self) -> ContainerState:
        self._runner.reach()
        state = self._container.state()
        return ContainerState.RUNNING if self._fate.hangs and state is ContainerState.EXITED else state

    def start(self) -> None:
        self._runner.reach()
        self._fate.begin()
        try:
            self._container.start()
        except ContainerError:
            self._fate.take_back()
            raise
        self._runner.remember(self._fate)

    def wait(self, timeout_s: float) -> ContainerEnd | None:
        self._runner.reach()
        if not self._fate.faults:
            return self._container.wait(timeout_s)
        until = real_monotonic() + timeout_s
        while True:
            next_s = max(0.0, min(until, self._fate.next_at) - real_monotonic())
            end = self._container.wait(next_s)
            if end is not None and self._fate.hangs:
                self._fate.let_go.wait(next_s)
            if end is not None and not self._fate.hangs:
                return self._fate.told(end)
            if self._fate.fulfil():
                self._container.stop(0.0)
            elif real_monotonic() >= until:
                return None

    def log(self) -> str:
        return "" if self._fate.has(FaultKind.LOSES_LOGS) else self._container.log()

    def stop(self, grace_s: float = 10.0) -> None:
        self._container.stop(grace_s)
        self._fate.let_go.set()

    def remove(self) -> None:
        self._runner.reach()
        self._container.remove()
        self._runner.forget(self._fate.name)


@dataclass
class _Fate:
    """What befalls one container: known from its start on. ``let_go``: if it hung, it does no more."""

    name: str
    registry: Faults
    revoke: Callable[[str], None]
    subject: Subject = field(default_factory=Subject)
    token: str = field(default="", repr=False)
    faults: list[Fault] = field(default_factory=list)
    let_go: threading.Event = field(default_factory=threading.Event)
    _began: float = 0.0
    _pending: list[Fault] = field(default_factory=list)
    _killed_by: Fault | None = None

    @property
    def hangs(self) -> bool:
        return self.has(FaultKind.HANGS) and not self.let_go.is_set()

    @property
    def next_at(self) -> float:
        """When, in monotonic seconds, the next fault is due that has its time."""
        return min((self._began + fault.after_s for fault in self._pending), default=math.inf)

    def has(self, kind: FaultKind) -> bool:
        return any(fault.kind is kind for fault in self.faults)

    def taking(self, on_result: Callable[[bytes], None]) -> Callable[[bytes], None]:
        """What takes its results, or loses them."""
        return lambda data: None if self.has(FaultKind.LOSES_RESULTS) else on_result(data)

    def begin(self) -> None:
        """Find out what befalls it; what is due at once is done. Raises StartRefused."""
        refusing = self.registry.strike(FaultKind.START_FAILS, self.subject)
        if refusing is not None:
            raise StartRefused(f"It does not start: fault {refusing.id}.")
        self._began = real_monotonic()
        struck = (self.registry.strike(kind, self.subject) for kind in _BEFALLING if self._can_be(kind))
        self.faults = [fault for fault in struck if fault is not None]
        self._pending = [fault for fault in self.faults if fault.kind in (*_KILLS, FaultKind.TOKEN_REVOKED)]
        if any(fault.kind is FaultKind.TOKEN_REVOKED and not fault.after_s for fault in self._pending):
            self.fulfil(FaultKind.TOKEN_REVOKED)  # before it can use its token

    def take_back(self) -> None:
        """It did not start."""
        for fault in self.faults:
            self.registry.missed(fault)
        self.faults, self._pending = [], []

    def fulfil(self, *kinds: FaultKind) -> bool:
        """Do what is due now, of these kinds or of all; whether that is to kill it."""
        now = real_monotonic()
        due = [f for f in self._pending if self._began + f.after_s <= now and (not kinds or f.kind in kinds)]
        self._pending = [fault for fault in self._pending if fault not in due]
        for fault in due:
            if fault.kind is FaultKind.TOKEN_REVOKED:
                self.revoke(self.token)
            else:
                self._killed_by = self._killed_by or fault
                self.let_go.set()
        return any(fault.kind in _KILLS for fault in due)

    def told(self, end: ContainerEnd) -> ContainerEnd:
        """The end as it is told. What came too late for it has not struck."""
        self._settle(end)
        if self.has(FaultKind.HANGS):
            end = _until_now(end, real_monotonic() - self._began)
        if self._killed_by is not None or self.has(FaultKind.HANGS):
            by_memory = self._killed_by is not None and self._killed_by.kind is FaultKind.OUT_OF_MEMORY
            return _ended_with(end, KILLED, by_memory=by_memory)
        codes = [fault.exit_code for fault in self.faults if fault.kind is FaultKind.EXITS]
        return _ended_with(end, codes[0]) if codes else end

    def _settle(self, end: ContainerEnd) -> None:
        """A kill that was due before the end counts, though the end was seen first."""
        for fault in self._pending:
            if fault.kind in _KILLS and fault.after_s <= end.runtime_s:
                self._killed_by = self._killed_by or fault
            else:
                self.registry.missed(fault)
        self._pending = []

    def _can_be(self, kind: FaultKind) -> bool:
        return kind is not FaultKind.TOKEN_REVOKED or bool(self.token)


def _ended_with(end: ContainerEnd, code: int, *, by_memory: bool = False) -> ContainerEnd:
    state = {**end.final_state, "ExitCode": code, "OOMKilled": by_memory} if end.final_state else end.final_state
    return replace(end, exit_code=code, final_state=state)


def _until_now(end: ContainerEnd, ran_s: float) -> ContainerEnd:
    """The end of one that hung after its program had ended."""
    later = timedelta(seconds=max(0.0, ran_s - end.runtime_s))
    finished_at = end.finished_at and end.finished_at + later
    state = {**end.final_state, "FinishedAt": finished_at} if end.final_state and finished_at else end.final_state
    return replace(end, final_state=state, runtime_s=max(ran_s, end.runtime_s), finished_at=finished_at)
