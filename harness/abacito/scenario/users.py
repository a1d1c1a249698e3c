"""The users whom a story needs: an emulator of our own is given them, elsewhere there must be a token for each."""

from __future__ import annotations

from collections.abc import Mapping

from abacito.abaco.caller import EVERYONE
from abacito.abaco.errors import Misconfigured
from abacito.scenario.story import Story
from abacito.settings import Settings, UserSettings

PASSWORD = "abacito"


def settings_for(story: Story, settings: Settings) -> Settings:
    """The settings with the story's users; one who is there already keeps his password, and roles that are not said."""
    accounts = settings.accounts()
    added = []
    for name, user in story.users.items():
        known = accounts.get((user.tenant or settings.tenant, name))
        roles = tuple(user.roles or (known.roles if known else (EVERYONE,)))
        password = known.password if known else PASSWORD
        added.append(UserSettings(username=name, password=password, roles=roles, tenant=user.tenant))
    return settings.model_copy(update={"users": (*settings.users, *added)}) if added else settings


def check_users(story: Story, tokens_by_user: Mapping[str, str]) -> None:
    """Raises Misconfigured when a user whom the story needs has no token."""
    for name in story.users:
        if name not in tokens_by_user:
            file, line = story.origin("users", name)
            raise Misconfigured(f"{file}:{line}: the story needs the user {name!r}: --user-token {name}=TOKEN")
