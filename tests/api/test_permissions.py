from __future__ import annotations

from typing import Any

import pytest

from abacito.abaco import ids
from tests.api.conftest import Api

NOT_THIS_ACTOR = "Not authorized -- you do not have access to this actor."
NOT_THIS_ALIAS = "Not authorized -- you do not have access to this alias."
NOT_THIS_CONFIG = "You do not have sufficient access to this actor config."
NO_USER = "Invalid permissions description: {'user': 'User owning the permission.'}"
NO_LEVEL = (
    "Invalid permissions description: {'level': \"Level of the permission: ('NONE', 'READ', 'EXECUTE', 'UPDATE')\"}"
)
UNKNOWN_ID = ids.new_id()


def no_level(word: Any) -> str:
    return f"Invalid permission level: {word}.             The valid values are ('NONE', 'READ', 'EXECUTE', 'UPDATE')"


def grant(api: Api, actor: str, user: str, level: str, by: str = "jdoe") -> Any:
    """The whole map afterwards."""
    return api.result("POST", f"/actors/{actor}/permissions", user=by, json={"user": user, "level": level})


def permissions(api: Api, actor: str, by: str = "admin") -> Any:
    return api.result("GET", f"/actors/{actor}/permissions", user=by)


def ids_seen_by(api: Api, user: str) -> list[str]:
    return [found["id"] for found in api.result("GET", "/actors", user=user)]


def found_by(api: Api, user: str) -> list[str]:
    return [found["id"] for found in api.result("GET", "/actors/search/actors", user=user)["search"]]


def alias_of(api: Api, actor: str, name: str = "jan") -> str:
    api.result("POST", "/actors/aliases", user="jdoe", json={"alias": name, api.name("actor_id"): actor})
    return name


def config_of(api: Api, actor: str, name: str = "c1") -> str:
    body = {"name": name, "value": "v", api.name("is_secret"): False, "actors": actor}
    api.result("POST", "/actors/configs", user="jdoe", json=body)
    return name


def test_a_new_actors_map_is_its_owner_with_update(api: Api) -> None:
    """spec: http-api-more #33, http-api #44"""
    actor = api.actor(user="jdoe")

    response = api.send("GET", f"/actors/{actor}/permissions", user="jdoe").json()

    assert response["message"] == "Permissions retrieved successfully."
    assert response["result"] == {"jdoe": "UPDATE"}


def test_a_post_adds_an_entry_and_a_second_one_overwrites_it(api: Api) -> None:
    """spec: http-api-more #34"""
    actor = api.actor(user="jdoe")

    response = api.send(
        "POST", f"/actors/{actor}/permissions", user="jdoe", json={"user": "jane", "level": "READ"}
    ).json()

    assert response["message"] == "Permission added successfully."
    assert response["result"] == permissions(api, actor) == {"jdoe": "UPDATE", "jane": "READ"}
    assert grant(api, actor, "jane", "EXECUTE") == {"jdoe": "UPDATE", "jane": "EXECUTE"}
    assert permissions(api, actor) == {"jdoe": "UPDATE", "jane": "EXECUTE"}


@pytest.mark.parametrize("how", ["json", "data", "params"])
def test_an_entry_comes_as_json_as_form_or_as_query(api: Api, how: str) -> None:
    """spec: http-api-more #34"""
    actor = api.actor(user="jdoe")

    path, entry = f"/actors/{actor}/permissions", {"user": "jane", "level": "READ"}

    assert api.result("POST", path, user="jdoe", **{how: entry})["jane"] == "READ"


@pytest.mark.parametrize("name", ["a_user_with_underscores", "TACC/jane", "a.b.c", "jané", "#", "{user}", "user"])
def test_any_name_is_a_users_and_no_case_touches_it(api: Api, name: str) -> None:
    """spec: http-api-more #34"""
    actor = api.actor(user="jdoe")

    assert grant(api, actor, name, "READ") == {"jdoe": "UPDATE", name: "READ"}


@pytest.mark.parametrize("level", ["read", "ALL", "", " READ", "3", "é", "x" * 5000])
def test_a_level_is_one_of_four_words(api: Api, level: str) -> None:
    """spec: http-api-more #35"""
    actor = api.actor(user="jdoe")

    message = api.refusal("POST", f"/actors/{actor}/permissions", json={"user": "jane", "level": level})

    assert message == no_level(level)
    assert permissions(api, actor) == {"jdoe": "UPDATE"}


@pytest.mark.parametrize("level", [None, 3, True, {"READ": 1}])
def test_a_level_that_is_no_text_is_told_as_python_says_it(api: Api, level: Any) -> None:
    """spec: http-api-more #35"""
    actor = api.actor(user="jdoe")

    message = api.refusal("POST", f"/actors/{actor}/permissions", json={"user": "jane", "level": level})

    assert message == no_level(level)


@pytest.mark.parametrize("body", [None, {}, {"level": "READ"}, {"user": None, "level": "READ"}, {"user": []}])
def test_an_entry_needs_a_user(api: Api, body: Any) -> None:
    """spec: http-api-more #36"""
    actor = api.actor(user="jdoe")

    assert api.refusal("POST", f"/actors/{actor}/permissions", json=body) == NO_USER
    assert permissions(api, actor) == {"jdoe": "UPDATE"}


@pytest.mark.parametrize("body", [{"user": "jane"}, {"user": "jane", "level": []}])
def test_an_entry_needs_a_level(api: Api, body: Any) -> None:
    """spec: http-api-more #36"""
    actor = api.actor(user="jdoe")

    assert api.refusal("POST", f"/actors/{actor}/permissions", json=body) == NO_LEVEL
    assert permissions(api, actor) == {"jdoe": "UPDATE"}


@pytest.mark.parametrize("user", ["x" * 1001, "é" * 501, "x" * 20_000])
def test_a_name_that_the_store_cannot_keep_is_refused_in_words(api: Api, user: str) -> None:
    actor = api.actor(user="jdoe")

    message = api.refusal("POST", f"/actors/{actor}/permissions", json={"user": user, "level": "READ"})

    assert message == "The name is too long: a user's may have 1000 bytes."
    assert grant(api, actor, "x" * 1000, "READ") == {"jdoe": "UPDATE", "x" * 1000: "READ"}


@pytest.mark.parametrize("body", [b"", b"{", b'{"user": "\\ud800", "level": "READ"}', b"[1]", b"5"])
@pytest.mark.parametrize("user", ["admin", "jdoe"])
def test_a_body_that_makes_no_sense_is_the_callers_fault(api: Api, user: str, body: bytes) -> None:
    actor = api.actor(user="jdoe")

    message = api.refusal(
        "POST",
        f"/actors/{actor}/permissions",
        user=user,
        data=body,
        headers={"Content-Type": "application/json"},
    )

    assert message == "Invalid permissions description: Unable to process the JSON description."


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_entries_are_only_read_and_posted(api: Api, method: str) -> None:
    """spec: http-api-more #37, http-api #10"""
    actor = api.actor(user="jdoe")
    alias_of(api, actor)
    config_of(api, actor)

    for place in (actor, "jan", "aliases/jan", "configs/c1"):
        message = api.refusal(method, f"/actors/{place}/permissions", 405, user="jdoe")
        assert message.startswith("Invalid request: the API endpoint does not exist or")


def test_a_reader_reads_the_map_and_does_not_write_it(api: Api) -> None:
    """spec: http-api-more #38"""
    actor = api.actor(user="jdoe")
    grant(api, actor, "jane", "READ")

    entry = {"user": "jane", "level": "UPDATE"}
    message = api.refusal("POST", f"/actors/{actor}/permissions", user="jane", json=entry)

    assert message == NOT_THIS_ACTOR
    assert permissions(api, actor, by="jane") == {"jdoe": "UPDATE", "jane": "READ"}


def test_none_takes_a_permission_away_and_stays_listed(api: Api) -> None:
    """spec: http-api-more #39"""
    actor = api.actor(user="jdoe")
    grant(api, actor, "jane", "READ")
    api.result("GET", f"/actors/{actor}", user="jane")

    grant(api, actor, "jane", "NONE")

    assert api.refusal("GET", f"/actors/{actor}", user="jane") == NOT_THIS_ACTOR
    assert actor not in ids_seen_by(api, "jane")
    assert permissions(api, actor) == {"jdoe": "UPDATE", "jane": "NONE"}


def test_an_entry_of_none_is_still_found_by_search(api: Api) -> None:
    """spec: http-api-more #39 (§2, 4: search asks whether there is an entry)"""
    actor = api.actor(user="jdoe")
    assert found_by(api, "jane") == []

    grant(api, actor, "jane", "NONE")

    assert found_by(api, "jane") == [actor]


def test_execute_opens_the_mailbox_and_not_the_actor(api: Api) -> None:
    """spec: http-api-more #40"""
    actor = api.actor(user="jdoe")
    grant(api, actor, "jane", "EXECUTE")

    posted = api.result("POST", f"/actors/{actor}/messages", user="jane", data={"message": "m"})

    assert posted["msg"] == "m"
    message = api.refusal("PUT", f"/actors/{actor}", user="jane", json={"image": "x"})
    assert message == NOT_THIS_ACTOR


@pytest.mark.parametrize("level", ["NONE", "READ"])
def test_the_world_at_any_level_may_even_delete(api: Api, level: str) -> None:
    """spec: http-api-more #41, http-api #127"""
    actor = api.actor(user="jdoe")
    assert api.refusal("GET", f"/actors/{actor}", user="jane") == NOT_THIS_ACTOR

    assert grant(api, actor, "ABACO_WORLD", level) == {"jdoe": "UPDATE", "ABACO_WORLD": level}

    assert api.result("GET", f"/actors/{actor}", user="jane")["id"] == actor
    api.result("DELETE", f"/actors/{actor}", user="jane")
    assert ids_seen_by(api, "jdoe") == []


def test_the_world_is_one_tenants(api: Api) -> None:
    """spec: http-api-more #41"""
    actor = api.actor(user="jdoe")
    grant(api, actor, "ABACO_WORLD", "UPDATE")

    assert ids_seen_by(api, "far") == []
    assert api.refusal("GET", f"/actors/{actor}", 404, user="far") == f"No actor found with identifier: {actor}."


def test_whoever_was_shut_out_before_the_world_came_stays_out(api: Api) -> None:
    """spec: http-api-more #42, http-api #127"""
    actor = api.actor(user="jdoe")
    grant(api, actor, "jane", "NONE")
    grant(api, actor, "ABACO_WORLD", "READ")
    grant(api, actor, "reader", "NONE")

    assert api.refusal("GET", f"/actors/{actor}", user="jane") == NOT_THIS_ACTOR
    assert api.result("GET", f"/actors/{actor}", user="reader")["id"] == actor
    assert (ids_seen_by(api, "jane"), ids_seen_by(api, "reader")) == ([], [actor])


def test_an_entry_that_is_overwritten_keeps_its_place_before_the_world(api: Api) -> None:
    """spec: http-api-more #42"""
    actor = api.actor(user="jdoe")
    grant(api, actor, "jane", "READ")
    grant(api, actor, "ABACO_WORLD", "READ")

    grant(api, actor, "jane", "NONE")

    assert api.refusal("GET", f"/actors/{actor}", user="jane") == NOT_THIS_ACTOR


def test_the_worlds_actors_are_listed_for_everybody_and_found_by_no_search(api: Api) -> None:
    """spec: http-api-more #43"""
    actor = api.actor(user="jdoe")
    api.actor(user="jdoe")  # not the world's
    grant(api, actor, "ABACO_WORLD", "READ")

    assert ids_seen_by(api, "jane") == ids_seen_by(api, "admin") == [actor]
    assert found_by(api, "jane") == found_by(api, "admin") == []


def test_an_owner_is_no_more_than_his_entry(api: Api) -> None:
    """spec: http-api-more #44"""
    actor = api.actor(user="jdoe")

    assert grant(api, actor, "jdoe", "NONE", by="jdoe") == {"jdoe": "NONE"}

    assert api.refusal("GET", f"/actors/{actor}", user="jdoe") == NOT_THIS_ACTOR
    assert api.refusal("DELETE", f"/actors/{actor}", user="jdoe") == NOT_THIS_ACTOR
    assert ids_seen_by(api, "jdoe") == []
    assert api.result("GET", f"/actors/{actor}", user="admin")["owner"] == "jdoe"


def test_an_alias_stands_for_its_actors_map(api: Api) -> None:
    """spec: http-api-more #45"""
    actor = api.actor(user="jdoe")
    alias_of(api, actor)

    grant(api, "jan", "jane", "READ")

    assert permissions(api, "jan", by="jane") == permissions(api, actor) == {"jdoe": "UPDATE", "jane": "READ"}
    assert permissions(api, "aliases/jan") == {"jdoe": "UPDATE"}


def test_an_aliases_own_map_opens_the_alias_and_not_the_actor(api: Api) -> None:
    """spec: http-api-more #45 (§2, 11: aliases have maps by the same rules)"""
    actor = api.actor(user="jdoe")
    alias_of(api, actor)
    message = api.refusal("GET", "/actors/aliases/jan/permissions", user="jane")
    assert message == NOT_THIS_ALIAS

    grant(api, "aliases/jan", "jane", "READ")

    assert permissions(api, "aliases/jan", by="jane") == {"jdoe": "UPDATE", "jane": "READ"}
    entry = {"user": "jane", "level": "UPDATE"}
    assert api.refusal("POST", "/actors/aliases/jan/permissions", user="jane", json=entry) == NOT_THIS_ALIAS
    assert api.refusal("GET", f"/actors/{actor}/permissions", user="jane") == NOT_THIS_ACTOR
    assert permissions(api, actor) == {"jdoe": "UPDATE"}


def test_under_aliases_an_actors_id_is_the_actors_map(api: Api) -> None:
    """spec: http-api-more #45 (§1.3: aliases and actors share one space of names)"""
    actor = api.actor(user="jdoe")

    grant(api, f"aliases/{actor}", "jane", "READ")

    assert permissions(api, f"aliases/{actor}") == permissions(api, actor) == {"jdoe": "UPDATE", "jane": "READ"}


def test_what_does_not_exist_has_no_map_in_each_callers_words(api: Api) -> None:
    """spec: http-api-more #46"""
    missing = f"Actor TACC-PROD_{UNKNOWN_ID} does not exist"

    assert api.refusal("GET", f"/actors/{UNKNOWN_ID}/permissions", 404) == missing
    assert api.refusal("GET", f"/actors/{UNKNOWN_ID}/permissions", 400, user="jdoe") == missing
    for user in ("admin", "jdoe"):
        message = api.refusal("GET", "/actors/a-word/permissions", 404, user=user)
        assert message == "Actor with identifier 'a-word' not found"
    assert api.refusal("GET", "/actors/aliases/a-word/permissions", 404) == "Actor TACC-PROD_a-word does not exist"


def test_nobody_makes_a_map_for_what_does_not_exist(api: Api) -> None:
    """spec: http-api-more #46 (§2, 8: recommended)"""
    entry = {"user": "jane", "level": "READ"}
    missing = f"Actor TACC-PROD_{UNKNOWN_ID} does not exist"

    assert api.refusal("POST", f"/actors/{UNKNOWN_ID}/permissions", 404, json=entry) == missing
    assert api.refusal("POST", f"/actors/{UNKNOWN_ID}/permissions", 400, user="jdoe", json=entry) == missing
    message = api.refusal("POST", "/actors/aliases/nope/permissions", 404, json=entry)
    assert message == "Actor TACC-PROD_nope does not exist"
    message = api.refusal("POST", "/actors/configs/nope/permissions", 404, json=entry)
    assert message == "Config TACC-PROD_nope does not exist"


@pytest.mark.parametrize("place", ["aliases/jan", "configs/c1"])
def test_a_map_goes_with_what_it_is_of(api: Api, place: str) -> None:
    actor = api.actor(user="jdoe")
    for _ in range(2):
        alias_of(api, actor)
        config_of(api, actor)
        assert permissions(api, place) == {"jdoe": "UPDATE"}
        assert grant(api, place, "jane", "UPDATE") == {"jdoe": "UPDATE", "jane": "UPDATE"}

        api.result("DELETE", "/actors/aliases/jan", user="jdoe")
        api.result("DELETE", "/actors/configs/c1", user="jdoe")


def test_the_world_and_its_order_count_for_aliases_and_configs_too(api: Api) -> None:
    """spec: http-api-more #41, #42 (§2, 11)"""
    actor = api.actor(user="jdoe")
    for place, refused in ((f"aliases/{alias_of(api, actor)}", NOT_THIS_ALIAS), ("configs/c1", NOT_THIS_CONFIG)):
        if place == "configs/c1":
            config_of(api, actor)
        grant(api, place, "jane", "NONE")
        grant(api, place, "ABACO_WORLD", "NONE")

        assert api.refusal("GET", f"/actors/{place}", user="jane") == refused
        api.result("GET", f"/actors/{place}", user="reader")
        api.result("DELETE", f"/actors/{place}", user="reader")
