"""Who asks: a user of a tenant, with roles."""

from __future__ import annotations

from dataclasses import dataclass

ADMIN = "Internal/abaco-admin"
PRIVILEGED = "Internal/abaco-privileged"
LIMITED = "Internal/abaco-limited"
EVERYONE = "Internal/everyone"
#: Set by access control ``none``; counts like the admin role.
ALL = "ALL"


@dataclass(frozen=True, slots=True)
class Caller:
    """The user on whose behalf a request is made. Admin is per request, whoever's actor it is.

    ``assertion_header`` is the header by which the gateway names him to Abaco; his containers are told.
    """

    username: str
    tenant: str
    roles: frozenset[str]
    assertion_header: str | None = None

    @property
    def is_admin(self) -> bool:
        """Passes every permission check of the request's tenant."""
        return bool(self.roles & {ADMIN, ALL})

    @property
    def is_privileged(self) -> bool:
        """May set the fields that cost the host something: privileged, limits, queue."""
        return self.is_admin or PRIVILEGED in self.roles

    def has_abaco_role(self, user_role: str) -> bool:
        """Whether any of the roles is known to Abaco; ``user_role`` is the tenant's name for an ordinary user."""
        return bool(self.roles & {ADMIN, ALL, PRIVILEGED, LIMITED, user_role})
