"""Worlds: all that an emulator holds, taken, gone back to, written to a file and read from one."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from abacito.abaco.errors import Malformed, Misconfigured, Undecipherable
from abacito.abaco.retirement import Retirement
from abacito.abaco.time import SystemClock
from abacito.abaco.travelling import Travelling
from abacito.abaco.worker import Slot
from abacito.aws import keys
from abacito.aws.embedded.engine import Engine, Saved
from abacito.aws.snapshots import Contents, Snapshots
from abacito.cipher import FernetCipher
from abacito.containers.stub import StubRunner
from abacito.files import write_whole
from abacito.workers.hold import Hold

log = logging.getLogger(__name__)


class Snapshot:
    """What an emulator held at one instant, to be restored as often as one likes: at that emulator as it is, at any
    other from the file that ``save`` writes."""

    def __init__(
        self,
        saved: Saved,
        functions: Mapping[str, Callable[..., Any]],
        idle: Mapping[str, tuple[Slot, datetime]],
        waiting: int,
        contents: Callable[[], Contents],
    ) -> None:
        self.saved, self.functions, self.idle, self._contents = saved, functions, idle, contents
        #: How many messages wait in it.
        self.waiting = waiting

    def to_bytes(self) -> bytes:
        """What ``save`` writes."""
        return self._contents().to_bytes()

    def save(self, path: str | Path) -> Path:
        """Write it to a file, whole or not at all, which is for this user's eyes: secrets may be in it.

        Functions that stand for images stay behind. Raises Misconfigured when the file cannot be written.
        """
        return write_whole(Path(path), self.to_bytes(), for_us_only=True)


class Worlds:
    """Takes snapshots of one emulator, and has it go back to them.

    ``at_rest``: within it nothing works, and no container runs; ``sweep``: looks at all that is there, idle workers and
    messages without a ring among it; ``forget``: what was remembered of the store is not so
    any more; ``tenants``: those that are there in any case.
    """

    def __init__(
        self,
        engine: Engine,
        snapshots: Snapshots,
        *,
        at_rest: Callable[[], AbstractContextManager[None]],
        sweep: Callable[[], None],
        forget: Callable[[], None],
        stubs: StubRunner,
        retirement: Retirement,
        hold: Hold,
        travelling: Travelling,
        cipher: FernetCipher,
        tenants: Collection[str],
    ) -> None:
        self._engine, self._snapshots = engine, snapshots
        self._at_rest, self._sweep, self._forget = at_rest, sweep, forget
        self._stubs, self._retirement, self._hold = stubs, retirement, hold
        self._travelling, self._cipher, self._tenants = travelling, cipher, tenants
        self._lock = threading.Lock()  # one after the other
        self._nothing = self._home = self.take()

    def take(self) -> Snapshot:
        """What is there now. Executions that run are as a crash would leave them now: in ERROR, once it is restored."""
        saved, saved_at, functions = self._engine.save(), SystemClock().now(), self._stubs.functions

        def contents() -> Contents:
            about = {"made_by": version("abacito"), "saved_at": saved_at, "functions": sorted(functions)}
            plain = self._snapshots.contents(saved, **about)
            return plain.model_copy(update=self._key()) if plain.has_secrets else plain

        return Snapshot(saved, functions, self._retirement.idle, self._snapshots.waiting(saved), contents)

    def renew(self) -> None:
        """Throw everything away, users' tokens too."""
        with self._lock, self._at_rest():
            self._home = self._nothing
            self._go_back(self._nothing, lambda _: False)

    def go_back(self, snapshot: Snapshot) -> None:
        """Have what is in it, and nothing else but users' tokens. What waits in it is held."""
        with self._lock:
            with self._at_rest():
                self._go_back(snapshot, keys.is_credential)
            if snapshot.waiting:  # what was posted in that instant may have no ring
                self._sweep()

    def stay_here(self) -> None:
        """From now on it is here that ``start_over`` leads."""
        self._home = self.take()

    def start_over(self, *, empty: bool) -> None:
        """Go back to where all began: what was loaded or seeded, or, without that or with ``empty``, nothing."""
        self.go_back(self._nothing if empty else self._home)

    def load(self, data: bytes) -> Contents:
        """Go back to what is in a file. Time goes on from when it was saved.

        Raises Malformed for what is no snapshot, Misconfigured for secrets of another key; then nothing is done.
        """
        contents = self._readable(Contents.from_bytes(data))
        saved = self._snapshots.saved(contents, self._nothing.saved)
        with self._lock:
            with self._at_rest():
                self._put_in_place(saved, contents)
            self._sweep()
            self._home = self.take()
        self._warn_of_functions(contents)
        return contents

    def _put_in_place(self, saved: Saved, contents: Contents) -> None:
        self._engine.go_back(saved, keys.is_credential)
        self._forget()
        for tenant in {*contents.tenants, *self._tenants}:
            self._travelling.go_on_from(tenant, contents.saved_at)
        self._retirement.start_with({})
        self._hold_if(self._snapshots.waiting(saved))

    def _go_back(self, snapshot: Snapshot, keeps: Callable[[str], bool]) -> None:
        self._engine.go_back(snapshot.saved, keeps)
        self._forget()
        self._stubs.start_with(snapshot.functions)
        self._retirement.start_with(snapshot.idle)
        self._hold_if(snapshot.waiting)

    def _hold_if(self, waiting: int) -> None:
        """Nothing is run because it was loaded."""
        if waiting:
            log.warning("what waits in the snapshot waits until the pollers are resumed")
            self._hold.put_on()
        else:
            self._hold.take_off()

    def _key(self) -> dict[str, str]:
        return {"key": self._cipher.key} if self._cipher.is_made_up else {"key_mark": self._cipher.mark}

    def _readable(self, contents: Contents) -> Contents:
        """With secrets that our own key decrypts."""
        if contents.key is not None:
            return self._encrypted_anew(contents, contents.key)
        if contents.key_mark not in (None, self._cipher.mark):
            raise Misconfigured(
                "its secrets were encrypted with an encryption_key that is not this emulator's: set the same one"
            )
        return contents

    def _encrypted_anew(self, contents: Contents, key: str) -> Contents:
        try:
            theirs = FernetCipher(key)
            return contents.with_secrets(lambda text: self._cipher.encrypt(theirs.decrypt(text)))
        except (Misconfigured, Undecipherable) as error:
            raise Malformed("it is no snapshot, though it says so: its key does not decrypt its secrets") from error

    def _warn_of_functions(self, contents: Contents) -> None:
        missing = [name for name in contents.functions if not self._stubs.has(name)]
        if missing:
            log.warning("Python functions are not in a file; register these again: %s", ", ".join(missing))


def read(path: str | Path) -> bytes:
    """A file's bytes. Raises Misconfigured when it cannot be read."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise Misconfigured(f"{path} cannot be read: {error.strerror}") from error
