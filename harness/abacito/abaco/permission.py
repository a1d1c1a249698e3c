"""Levels of permission, on what they are had, and how a map of them is read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum

from abacito.abaco.errors import Malformed

#: An entry under this name lets everybody of the tenant in, at any level (http-api-more §2, rule 5).
WORLD = "ABACO_WORLD"


class Level(IntEnum):
    """Abaco 1.9, codes.py: each level includes those below it."""

    NONE = 0
    READ = 1
    EXECUTE = 2
    UPDATE = 3


#: As Abaco's texts list them.
LEVELS = tuple(level.name for level in Level)
#: An alias's nonces end here (Abaco 1.5).
ALIAS_NONCE_LEVELS = LEVELS[:3]


class ResourceKind(StrEnum):
    """What has a permission map of its own."""

    ACTOR = "actor"
    ALIAS = "alias"
    CONFIG = "config"


@dataclass(frozen=True, slots=True)
class Resource:
    """An actor, an alias or a config, as the thing that permissions and nonces hang on."""

    kind: ResourceKind
    tenant: str
    name: str

    @property
    def id(self) -> str:
        """``<TENANT>_<name>``, as Abaco's texts say it."""
        return f"{self.tenant}_{self.name}"


@dataclass(frozen=True, slots=True)
class Permission:
    """One entry of a map; ``since`` orders the entries (they are tried oldest first)."""

    user: str
    level: Level
    since: int


def level_named(word: str | None) -> Level:
    """The level of that name. Raises Malformed in Abaco's words (the 13 blanks are Abaco's)."""
    if word not in LEVELS:
        raise Malformed(f"Invalid permission level: {word}.{' ' * 13}The valid values are {LEVELS}")
    return Level[word]


def as_map(entries: Iterable[Permission]) -> Mapping[str, str]:
    """The whole map as users see it: user to level, oldest entry first."""
    return {entry.user: entry.level.name for entry in sorted(entries, key=lambda e: e.since)}


def is_permitted(entries: Iterable[Permission], wanted: Level) -> bool:
    """What the caller's own entry and the world's, whichever of them exist, allow.

    Abaco 1.9, auth.py: check_permissions goes through the map in order of creation; meeting the world is a yes
    whatever its level, and the user's own entry decides if it comes first.
    """
    for entry in sorted(entries, key=lambda e: e.since):
        return entry.user == WORLD or entry.level >= wanted
    return False
