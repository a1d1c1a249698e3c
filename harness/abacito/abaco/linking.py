"""Links: an actor to which another one's events go as messages."""

from __future__ import annotations

from collections.abc import Mapping

from abacito.abaco import ids
from abacito.abaco.actor import ActorKey
from abacito.abaco.errors import Malformed
from abacito.abaco.ports import ActorRecords, AliasRecords

_INVALID = "Invalid link parameter"
_MUST_BE = "The link must be a valid actor id or alias for which you have EXECUTE permission."


class Linking:
    """What a link may be, and whom it means. Permission is announced in the texts and, as in Abaco, not asked for."""

    def __init__(self, actors: ActorRecords, aliases: AliasRecords) -> None:
        self._actors, self._aliases = actors, aliases

    def target(self, tenant: str, link: str) -> ActorKey | None:
        """The actor that an id or alias means now, which may not exist; None for an alias that nobody has."""
        if ids.number(link) is not None:
            return ActorKey(tenant, link)
        alias = self._aliases.get(tenant, link)
        return alias.actor if alias else None

    def check(self, tenant: str, link: str | None) -> ActorKey | None:
        """The actor to be linked to; None without a link. Raises Malformed for what does not exist."""
        if not link:
            return None
        key = self.target(tenant, link)
        if key is None:
            raise Malformed(f"{_INVALID}; unable to retrieve linked actor data. {_MUST_BE} ")
        if self._actors.get(key) is None:
            raise Malformed(f"{_INVALID}. {_MUST_BE} Additional info: Actor {key.dbid} does not exist")
        return key

    def check_update(self, source: ActorKey, link: str | None) -> None:
        """The same for an actor that exists: no link to itself, no cycle anywhere in the tenant.

        Abaco 1.9, controllers.py: aliases are resolved as they are now, and a cycle of others counts too, so one that
        was made by re-pointing an alias refuses every later link.
        """
        target = self.check(source.tenant, link)
        if target is None:
            return
        if target == source:
            raise Malformed(f"{_INVALID}. An actor cannot link to itself.")
        if has_cycle({**self._links(source.tenant), source.id: target.id}):
            raise Malformed("Error: this update would result in a cycle of linked actors.")

    def _links(self, tenant: str) -> dict[str, str]:
        linked = [each for each in self._actors.enrolled(tenant) if each.link]
        targets = {each.key.id: self.target(tenant, each.link) for each in linked}
        return {source: target.id for source, target in targets.items() if target is not None}


def has_cycle(links: Mapping[str, str]) -> bool:
    """Whether following these links, each actor having one at most, ever comes back to where it was."""
    settled: set[str] = set()
    for start in links:
        path: set[str] = set()
        at: str | None = start
        while at is not None and at not in settled:
            if at in path:
                return True
            path.add(at)
            at = links.get(at)
        settled |= path
    return False
