"""A story's file that grows with each exchange, and is never there in part."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

from abacito.abaco.errors import Misconfigured
from abacito.files import write_whole
from abacito.scenario.recording.exchange import Exchange
from abacito.scenario.recording.recorder import Noted, Recorder


class Recording:
    """Has a file be the story of all exchanges until now, whenever one looks; ``told`` hears of each.

    Raises Misconfigured when there is a file of that name already, or none can be made.
    """

    def __init__(self, file: Path, recorder: Recorder, told: Callable[[Noted], None]) -> None:
        if file.exists():
            raise Misconfigured(f"{file} is there already: name another file, or remove it")
        if not os.access(file.parent, os.W_OK | os.X_OK):
            raise Misconfigured(f"{file} cannot be written: {file.parent} is no folder that we may write to")
        self._file, self._recorder, self._told = file, recorder, told
        self._turn = threading.Lock()
        self._failure: Misconfigured | None = None

    def note(self, exchange: Exchange) -> None:
        """Note one exchange; those of several clients at once come in the order of their answers."""
        with self._turn:
            noted = self._recorder.add(exchange)
            self._told(noted)
            if noted.number is not None:
                self._save()

    def close(self) -> int:
        """How many steps the file has. Raises Misconfigured when the last could not be written."""
        with self._turn:
            if self._failure is not None:
                raise self._failure
            return len(self._recorder)

    def _save(self) -> None:
        """The client is not to suffer from a full disk: it is told of at the end, unless a later write went well."""
        try:
            write_whole(self._file, self._recorder.story())
            self._failure = None
        except Misconfigured as error:
            self._failure = error
