"""That something was recorded, told within the process: a hint to look again, never a state."""

from __future__ import annotations

import threading


class News:
    """Waiters look, then wait for news since; a writer elsewhere is noticed when the wait is over."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._count = 0

    @property
    def count(self) -> int:
        """How much news there has been; to be taken before the look whose result is waited upon."""
        return self._count

    def tell(self) -> None:
        """Something was recorded that somebody may wait for."""
        with self._condition:
            self._count += 1
            self._condition.notify_all()

    def wait(self, since: int, at_most_s: float) -> None:
        """Until there is news since then, or the (real) time is up."""
        with self._condition:
            self._condition.wait_for(lambda: self._count != since, at_most_s)
