"""The emulators of one session of tests, each started when it is first asked for, and what they leave at the end."""

from __future__ import annotations

import threading
import warnings
from types import TracebackType
from typing import Any, Self

import pytest

from abacito.abaco.errors import Misconfigured, RunnerAway, Unavailable
from abacito.abaco.time import real_monotonic
from abacito.containers.folders import folders_of_this_process
from abacito.containers.leftovers import containers_of
from abacito.emulator import Emulator
from abacito.settings import Settings

# How our threads are called, and the server's own.
_THREADS = ("abacito-", "stub ", "results of ", "container ", "CP Server Thread")
_PATIENCE_S = 1.0


class Running:
    """One emulator for each settings. A context manager: at its end all are stopped, and what is left is warned of."""

    def __init__(self) -> None:
        self._emulators: list[Emulator] = []
        self._before = set(_threads()), folders_of_this_process()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for emulator in reversed(self._emulators):
            emulator.stop()
        if left := self._left():
            warnings.warn(pytest.PytestWarning(f"abacito: left after all tests: {', '.join(left)}"), stacklevel=2)

    def emulator(self, settings: Settings, **differences: Any) -> Emulator:
        """The one with these settings; where it cannot be had, the test fails with the reason."""
        try:
            if differences:
                settings = Settings.read(**{**settings.model_dump(exclude_none=True), **differences})
            return self._found(settings) or self._started(settings)
        except (Misconfigured, Unavailable) as error:
            pytest.fail(f"no emulator: {error}", pytrace=False)

    def _found(self, settings: Settings) -> Emulator | None:
        return next((each for each in self._emulators if each.settings == settings), None)

    def _started(self, settings: Settings) -> Emulator:
        emulator = Emulator(settings)
        emulator.start()
        self._emulators.append(emulator)
        return emulator

    def _left(self) -> list[str]:
        threads, folders = self._before
        found = [f"thread {each.name!r}" for each in _ending(set(_threads()) - threads)]
        found += [f"folder {each}" for each in sorted(folders_of_this_process() - folders)]
        return found + [f"container {name}" for emulator in self._emulators for name in _containers(emulator)]


def _threads() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name.startswith(_THREADS)]


def _ending(threads: set[threading.Thread]) -> list[threading.Thread]:
    """Those that go on although they were given a moment."""
    deadline = real_monotonic() + _PATIENCE_S
    for thread in threads:
        thread.join(max(0.0, deadline - real_monotonic()))
    return sorted((each for each in threads if each.is_alive()), key=lambda thread: thread.name)


def _containers(emulator: Emulator) -> list[str]:
    if emulator.runner.name != "docker" or emulator.settings.endpoint_url:
        return []  # those whose state outlives us are for a successor
    try:
        return containers_of(emulator.namespace)
    except (Unavailable, RunnerAway):  # the daemon has gone meanwhile, and has been warned of
        return []
