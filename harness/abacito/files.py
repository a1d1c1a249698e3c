"""Files that are never there in part."""

from __future__ import annotations

import os
from pathlib import Path

from abacito.abaco.errors import Misconfigured


def write_whole(path: Path, data: str | bytes, *, for_us_only: bool = False) -> Path:
    """Write a file by a rename: whoever reads it, or ends us, finds all of it, or all of the one before.

    ``for_us_only``: other users may not read it. Raises Misconfigured, and leaves the file as it was.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        unfinished.touch(0o600 if for_us_only else 0o666)
        unfinished.write_bytes(data.encode() if isinstance(data, str) else data)
        unfinished.replace(path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise Misconfigured(f"{path} cannot be written: {error.strerror}") from error
    return path
