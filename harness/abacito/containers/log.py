"""What an execution prints, as text."""

from __future__ import annotations

import codecs
import threading


class Log:
    """An execution's output as text: bytes in, UTF-8 with replacement decoded as they come, limit+1 characters kept.

    The one character beyond ``limit`` tells a log that was cut from one that just fits.
    """

    def __init__(self, limit: int) -> None:
        self._room = limit + 1
        self._parts: list[str] = []
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._lock = threading.Lock()

    @property
    def is_full(self) -> bool:
        """Whether all that is written from now on is dropped."""
        return self._room == 0

    def write(self, data: bytes) -> None:
        """Add what was printed next; a character may be parted between two calls. Safe from any thread."""
        with self._lock:
            if self._room:
                self._keep(self._decoder.decode(data))

    def text(self) -> str:
        """All that came so far; a character still incomplete at the end shows as its replacement."""
        with self._lock:
            unfinished = self._decoder.getstate()[0].decode("utf-8", "replace") if self._room else ""
            self._parts = ["".join(self._parts)]
            return self._parts[0] + unfinished[: self._room]

    def _keep(self, text: str) -> None:
        kept = text[: self._room]
        self._room -= len(kept)
        self._parts.append(kept)
