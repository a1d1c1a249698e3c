"""Levels of permission on an actor, and how a map of them is read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

#: An entry under this name lets everybody of the tenant in, at any level (http-api-more §2, rule 5).
WORLD = "ABACO_WORLD"


class Level(IntEnum):
    """Abaco 1.9, codes.py: each level includes those below it."""

    NONE = 0
    READ = 1
    EXECUTE = 2
    UPDATE = 3


@dataclass(frozen=True, slots=True)
class Permission:
    """One entry of an actor's map; ``since`` orders the entries (they are tried oldest first)."""

    user: str
    level: Level
    since: int


def is_permitted(entries: Iterable[Permission], wanted: Level) -> bool:
    """What the caller's own entry and the world's, whichever of them exist, allow.

    Abaco 1.9, auth.py: check_permissions goes through the map in order of creation; meeting the world is a yes
    whatever its level, and the user's own entry decides if it comes first.
    """
    for entry in sorted(entries, key=lambda e: e.since):
        return entry.user == WORLD or entry.level >= wanted
    return False
