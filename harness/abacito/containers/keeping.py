"""Containers that are kept after their end, for somebody to look into."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypeAlias

Keep: TypeAlias = Literal["never", "failed", "always"]

#: Containers are never relabelled, but renamed: by this they are known, and left alone by whoever tidies up.
PREFIX = "abacito-kept-"


def is_wanted(keep: Keep, exit_code: int | None) -> bool:
    """Whether one that ended so is kept; one that never ended, None, is not."""
    return exit_code is not None and (keep == "always" or (keep == "failed" and exit_code != 0))


def kept_name(execution_id: str) -> str:
    """What it is called from then on."""
    return PREFIX + execution_id


def is_kept(names: Iterable[str] | None) -> bool:
    """Whether a container that the daemon lists under these names is one of them."""
    return any(name.lstrip("/").startswith(PREFIX) for name in names or ())
