"""Pollers that are held: nothing new is begun, what runs goes on."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Hold:
    """Whether pollers may begin something. They may until ``put_on``."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._passing = 0
        self._is_on = False

    @property
    def is_on(self) -> bool:
        """Whether nothing may begin now."""
        return self._is_on

    def put_on(self) -> None:
        """When this returns nothing begins any more."""
        with self._condition:
            self._is_on = True
            self._condition.wait_for(lambda: not self._passing)

    def take_off(self) -> None:
        """Whoever waits may go on."""
        with self._condition:
            self._is_on = False
            self._condition.notify_all()

    def wait(self, at_most_s: float) -> bool:
        """Until something may begin, or the (real) time is up; whether it may."""
        with self._condition:
            return self._condition.wait_for(lambda: not self._is_on, at_most_s)

    @contextmanager
    def passing(self) -> Iterator[bool]:
        """Whether something may begin in here; ``put_on`` waits for it."""
        with self._condition:
            may_pass = not self._is_on
            self._passing += may_pass
        try:
            yield may_pass
        finally:
            with self._condition:
                self._passing -= may_pass
                self._condition.notify_all()
