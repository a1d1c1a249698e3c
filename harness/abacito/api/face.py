"""The two faces of Abaco: v2's, in the case of the instance, and Tapis v3's, which is always snake (clients §7.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from flask import current_app, request

Case = Literal["camel", "snake"]

#: What a request that came to v3's face has in its WSGI environment.
V3 = "abacito.v3"
#: Fields, by their snake names, that v3 takes and shows, and v2 knows nothing of.
V3_ONLY = frozenset({"run_as_executor", "executionId"})


@dataclass(frozen=True, slots=True)
class Face:
    """How Abaco looks to a client."""

    case: Case
    is_v3: bool = False

    @property
    def actors(self) -> str:
        """Where actors are, below the base URL."""
        return "/v3/actors" if self.is_v3 else "/actors/v2"

    @property
    def profiles(self) -> str:
        """Where users are, below the base URL."""
        return "/v3/oauth2/profiles" if self.is_v3 else "/profiles/v2"

    def has(self, field: str) -> bool:
        """Whether there is a field of this name, in snake case, if anywhere."""
        return self.is_v3 or field not in V3_ONLY


SNAKE = Face("snake")
TAPIS = Face("snake", is_v3=True)


def face() -> Face:
    """That of the current request."""
    if request.environ.get(V3):
        return TAPIS
    return Face(current_app.config["CASE"])
