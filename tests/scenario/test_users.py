from __future__ import annotations

from abacito.abaco.caller import ADMIN, EVERYONE
from abacito.scenario import story
from abacito.scenario.users import settings_for
from abacito.settings import Settings


def accounts(users: str) -> dict[tuple[str, str], tuple[str, set[str]]]:
    """Password and roles of all, when the story has these users."""
    told = story.read(f"title: t\nusers: {users}\nsteps: [{{note: x}}]\n", "f.yaml")
    found = settings_for(told, Settings.read(port=0)).accounts()
    return {key: (user.password, set(user.roles)) for key, user in found.items()}


def test_a_new_user_is_an_ordinary_one_of_the_first_tenant() -> None:
    assert accounts("{jane: {}}")["TACC-PROD", "jane"] == ("abacito", {EVERYONE})


def test_a_user_has_the_roles_and_the_tenant_that_are_said() -> None:
    assert accounts("{jane: {roles: [x, y], tenant: DEV}}")["DEV", "jane"] == ("abacito", {"x", "y"})


def test_a_user_who_is_there_already_keeps_what_is_not_said() -> None:
    assert accounts("{admin: {}}")["TACC-PROD", "admin"] == ("abacito", {ADMIN, EVERYONE})
    assert accounts("{jdoe: {roles: [x]}}")["TACC-PROD", "jdoe"] == ("abacito", {"x"})


def test_a_story_without_users_leaves_the_settings_alone() -> None:
    settings = Settings.read(port=0)

    assert settings_for(story.read("title: t\nsteps: [{note: x}]", "f.yaml"), settings) is settings
