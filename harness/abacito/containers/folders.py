"""An emulator's temporary folder: for sockets, pipes and scratch copies, whose paths must be short."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from abacito.containers.labels import is_alive, this_process

_PREFIX, _OWNER = "abacito-", "owner"


def make_folder() -> Path:
    """A new folder of this process's; those that killed processes of the same user have left are removed."""
    _sweep(Path(tempfile.gettempdir()))
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    (folder / _OWNER).write_text(this_process())
    return folder


def folders_of_this_process() -> set[Path]:
    """Those that this process has made, and not removed."""
    found = Path(tempfile.gettempdir()).glob(f"{_PREFIX}*/{_OWNER}")
    return {owner.parent for owner in found if _text(owner) == this_process()}


def _text(owner: Path) -> str | None:
    try:
        return owner.read_text()
    except OSError:  # another user's, or gone by now
        return None


def _sweep(place: Path) -> None:
    for owner in place.glob(f"{_PREFIX}*/{_OWNER}"):
        with suppress(OSError):  # another user's, or gone by now
            if not is_alive(owner.read_text()):
                shutil.rmtree(owner.parent)
