"""``/actors/aliases``: names for actors, and what they stand for wherever an actor's id may stand."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from abacito.abaco import ids
from abacito.abaco.names import LONGEST_NAME_BYTES
from tests.api.conftest import Api

PREFIX = "Invalid alias description. Missing required field: "
NO_ALIAS = PREFIX + "{'alias': 'Actual alias for the actor; must be unique within a tenant.'}"
UNABLE = PREFIX + "Unable to process the JSON description."
HASH_ID = "Invalid alias description. Alias cannot be an Abaco hash id."
NOT_THIS_ALIAS = "Not authorized -- you do not have access to this alias."
NOT_THIS_ACTOR = "Not authorized -- you do not have access to this actor."
RESERVED = ("executions", "nonces", "logs", "messages", "adapters", "admin")
FORBIDDEN = "\\ \":/?#[]@!$&'()*+,;="
SHOWN = r"""['\', ' ', '"', ':', '/', '?', '#', '[', ']', '@', '!', '$', '&', ''', '(', ')', '*', '+', ',', ';', '=']"""


def an_actor(api: Api, user: str = "jdoe", **fields: Any) -> str:
    """The id of an actor that never runs."""
    body = {"image": "no/such:image", **{api.name(name): value for name, value in fields.items()}}
    return str(api.result("POST", "/actors", user=user, json=body)["id"])


def pair(api: Api, alias: Any, actor: Any) -> dict[str, Any]:
    """The body that asks for an alias."""
    return {"alias": alias, api.name("actor_id"): actor}


def an_alias(api: Api, actor: str, alias: str = "nick", user: str = "jdoe") -> str:
    return str(api.result("POST", "/actors/aliases", user=user, json=pair(api, alias, actor))["alias"])


def shown(api: Api, alias: str, actor: str, owner: str = "jdoe") -> dict[str, Any]:
    """An alias as every answer has it."""
    links = {
        "self": f"{api.emulator.url}/actors/v2/aliases/{alias}",
        "owner": f"{api.emulator.url}/profiles/v2/{owner}",
        "actor": f"{api.emulator.url}/actors/v2/{actor}",
    }
    return {"alias": alias, api.name("actor_id"): actor, "owner": owner, "_links": links}


def grant(api: Api, path: str, user: str, level: str) -> dict[str, str]:
    """Give a user a level on what the path names; the whole map afterwards."""
    body = {"user": user, "level": level}
    return dict(api.result("POST", f"/actors/{path}/permissions", json=body))


def no_actor_id(api: Api) -> str:
    help_text = "The human readable id for the actor associated with this alias."
    return f"{PREFIX}{{'{api.name('actor_id')}': '{help_text}'}}"


def not_yours(actor: str) -> str:
    return f"Not authorized -- you do not have access to {actor}."


# Making one.


@pytest.mark.parametrize("how", ["data", "json", "params"])
def test_an_alias_is_made_by_form_json_or_query_alone(api: Api, how: str) -> None:
    """spec: http-api-more #1, #2"""
    actor = an_actor(api)
    body: Any = pair(api, "nick", actor)

    response = api.send("POST", "/actors/aliases", user="jdoe", **{how: body})

    assert response.status_code == 200
    assert response.json()["message"] == "Actor alias created successfully."
    assert response.json()["result"] == shown(api, "nick", actor)
    found = api.send("GET", "/actors/aliases/nick", user="jdoe").json()
    assert found["message"] == "Alias retrieved successfully."
    assert found["result"] == shown(api, "nick", actor)


def test_an_actor_may_have_many_aliases(api: Api) -> None:
    """spec: http-api-more #3"""
    actor = an_actor(api)

    names = [an_alias(api, actor, name) for name in ("one", "two", "three")]

    listed = api.result("GET", "/actors/aliases", user="jdoe")
    assert sorted(each["alias"] for each in listed) == sorted(names)
    assert {each[api.name("actor_id")] for each in listed} == {actor}


@pytest.mark.parametrize("user", ["jdoe", "jane", "admin"])
def test_a_name_is_had_once_in_a_tenant_whoever_asks(api: Api, user: str) -> None:
    """spec: http-api-more #4"""
    first, second = an_actor(api), an_actor(api, user)
    an_alias(api, first)

    message = api.refusal("POST", "/actors/aliases", user=user, json=pair(api, "nick", second))

    assert message == "Alias nick already exists."
    assert api.result("GET", "/actors/aliases") == [shown(api, "nick", first)]


def test_the_same_name_in_another_tenant_is_another_alias(api: Api) -> None:
    mine, theirs = an_actor(api), an_actor(api, "far")

    an_alias(api, mine)
    an_alias(api, theirs, user="far")

    assert api.result("GET", "/actors/nick", user="jdoe")["id"] == mine
    assert api.result("GET", "/actors/nick", user="far")["id"] == theirs
    assert len(api.result("GET", "/actors/aliases", user="far")) == 1


def test_alias_and_actor_id_are_required(api: Api) -> None:
    """spec: http-api-more #5"""
    actor = an_actor(api)

    assert api.refusal("POST", "/actors/aliases", user="jdoe") == NO_ALIAS
    assert api.refusal("POST", "/actors/aliases", user="jdoe", json={api.name("actor_id"): actor}) == NO_ALIAS
    assert api.refusal("POST", "/actors/aliases", user="jdoe", json={"alias": "nick"}) == no_actor_id(api)


def test_the_other_cases_name_of_a_field_is_not_looked_at(api: Api) -> None:
    """spec: http-api-more #5"""
    wrong = "actor_id" if api.case == "camel" else "actorId"

    message = api.refusal("POST", "/actors/aliases", user="jdoe", json={"alias": "nick", wrong: an_actor(api)})

    assert message == no_actor_id(api)


def test_an_id_cannot_be_an_alias(api: Api) -> None:
    """spec: http-api-more #6"""
    actor = an_actor(api)

    for alias in (actor, ids.new_id()):
        assert api.refusal("POST", "/actors/aliases", user="jdoe", json=pair(api, alias, actor)) == HASH_ID


def test_an_alias_stands_for_an_actor_that_exists_and_not_for_an_alias(api: Api) -> None:
    """spec: http-api-more #7, #8"""
    an_alias(api, an_actor(api))

    for actor in ("nope", "nick", ids.new_id(), an_actor(api, "far"), ""):
        for user in ("jdoe", "admin"):
            message = api.refusal("POST", "/actors/aliases", 404, user=user, json=pair(api, "other", actor))
            assert message == f"No actor found with id: {actor}."


def test_the_admin_role_does_not_name_an_actor_of_somebody_elses(api: Api) -> None:
    """spec: http-api-more #9"""
    actor = an_actor(api)

    message = api.refusal("POST", "/actors/aliases", json=pair(api, "nick", actor))

    assert message == not_yours(actor)
    grant(api, actor, "admin", "UPDATE")
    assert an_alias(api, actor, user="admin") == "nick"


@pytest.mark.parametrize("level", ["NONE", "READ", "EXECUTE"])
def test_naming_an_actor_asks_for_update_on_it(api: Api, level: str) -> None:
    """spec: http-api-more #9"""
    actor = an_actor(api)
    grant(api, actor, "jane", level)

    assert api.refusal("POST", "/actors/aliases", user="jane", json=pair(api, "nick", actor)) == not_yours(actor)
    grant(api, actor, "jane", "UPDATE")
    assert api.result("POST", "/actors/aliases", user="jane", json=pair(api, "nick", actor))["owner"] == "jane"


def test_words_that_stand_in_paths_are_reserved(api: Api) -> None:
    """spec: http-api-more #10"""
    actor = an_actor(api)

    for word in RESERVED:
        assert api.refusal("POST", "/actors/aliases", user="jdoe", json=pair(api, word, actor)) == (
            f"{word} is a reserved word. The following reserved words cannot be used for an alias: "
            "['executions', 'nonces', 'logs', 'messages', 'adapters', 'admin']."
        )
    for word in ("aliases", "search", "configs", "utilization", "Executions", "log"):
        assert an_alias(api, actor, word) == word


def test_each_forbidden_character_is_named(api: Api) -> None:
    """spec: http-api-more #11"""
    actor = an_actor(api)

    assert len(FORBIDDEN) == 21
    for character in FORBIDDEN:
        message = api.refusal("POST", "/actors/aliases", user="jdoe", json=pair(api, f"a{character}b", actor))
        assert message == (
            f"'{character}' is a forbidden character. The following characters cannot be used for an alias: {SHOWN}."
        )
    assert api.result("GET", "/actors/aliases") == []


def test_of_many_forbidden_characters_the_first_of_the_list_is_named(api: Api) -> None:
    """spec: http-api-more #11"""
    actor = an_actor(api)

    message = api.refusal("POST", "/actors/aliases", user="jdoe", json=pair(api, "=a[b?", actor))

    assert message.startswith("'?' is a forbidden character. ")


@pytest.mark.parametrize("alias", ["dots.in.my.name.alias", "a-b_c~d%41<e>", "ünïcode☃", "Nick", "5", "\u007f", "None"])
def test_all_other_characters_make_an_alias_that_works(api: Api, alias: str) -> None:
    """spec: http-api-more #11"""
    actor = an_actor(api)

    assert an_alias(api, actor, alias) == alias

    assert api.result("GET", f"/actors/{quote(alias, safe='')}", user="jdoe")["id"] == actor
    assert api.result("GET", f"/actors/aliases/{quote(alias, safe='')}", user="jdoe")["alias"] == alias
    response = api.send("DELETE", f"/actors/aliases/{quote(alias, safe='')}", user="jdoe")
    assert response.json()["message"] == f"Alias {alias} deleted successfully."


def test_aliases_tell_upper_from_lower_case(api: Api) -> None:
    one, other = an_actor(api), an_actor(api)
    an_alias(api, one, "nick")
    an_alias(api, other, "Nick")

    assert [api.result("GET", f"/actors/{each}")["id"] for each in ("nick", "Nick")] == [one, other]


def test_an_alias_in_whose_name_is_admin_is_of_no_use_to_others_than_admins(api: Api) -> None:
    actor = an_actor(api)
    an_alias(api, actor, "sysadmin")

    assert api.refusal("GET", "/actors/sysadmin", user="jdoe") == "Abaco Admin role required."
    assert api.result("GET", "/actors/sysadmin")["id"] == actor


def test_of_two_faults_the_one_that_abaco_tests_first_is_told(api: Api) -> None:
    """spec: http-api-more #4, #5, #6, #7, #9, #10, #11"""
    actor, foreign = an_actor(api), an_actor(api, "jane")
    an_alias(api, actor)

    def refused(alias: Any, actor_id: Any, status: int = 400) -> str:
        return api.refusal("POST", "/actors/aliases", status, user="jdoe", json=pair(api, alias, actor_id))

    assert refused(actor, "nope") == HASH_ID
    assert refused("messages", "nope", 404) == "No actor found with id: nope."
    assert refused("nick", foreign) == not_yours(foreign)
    assert refused("a b", foreign) == not_yours(foreign)
    assert refused("", foreign) == not_yours(foreign)
    assert refused([], []) == NO_ALIAS


# What a body may be.


@pytest.mark.parametrize("user", ["jdoe", "admin"])
def test_a_body_that_is_no_json_object_cannot_be_processed(api: Api, user: str) -> None:
    an_alias(api, an_actor(api, user), user=user)
    headers = {"Content-Type": "application/json"}

    for body in (b"", b"{", b"\xff", b'{"alias": "\\ud800"}', b"5", b"true", b'"text"', b'["x"]'):
        for method, path in (("POST", "/actors/aliases"), ("PUT", "/actors/aliases/nick")):
            assert api.refusal(method, path, user=user, data=body, headers=headers) == UNABLE


def test_empty_json_is_an_empty_body(api: Api) -> None:
    an_alias(api, an_actor(api))
    headers = {"Content-Type": "application/json"}

    for body in (b"null", b"{}", b"[]"):
        assert api.refusal("POST", "/actors/aliases", user="jdoe", data=body, headers=headers) == NO_ALIAS
        assert api.refusal("PUT", "/actors/aliases/nick", user="jdoe", data=body, headers=headers) == no_actor_id(api)


def test_what_cannot_be_an_alias_is_refused(api: Api) -> None:
    actor = an_actor(api)

    for alias in (None, [], {"a": 1}, [[1, 2]], "x" * (LONGEST_NAME_BYTES + 1), "é" * 501, "x y" * 9999):
        api.refusal("POST", "/actors/aliases", user="jdoe", json=pair(api, alias, actor))

    assert api.result("GET", "/actors/aliases") == []


def test_a_name_that_is_too_long_is_told_how_long_it_may_be(api: Api) -> None:
    actor, longest = an_actor(api), "x" * LONGEST_NAME_BYTES

    message = api.refusal("POST", "/actors/aliases", user="jdoe", json=pair(api, longest + "x", actor))

    assert message == "The name is too long: an alias may have 1000 bytes."
    assert an_alias(api, actor, longest) == longest
    assert api.result("GET", f"/actors/{longest}", user="jdoe")["id"] == actor


def test_what_is_no_text_becomes_text_and_of_a_list_the_first_counts(api: Api) -> None:
    actor = an_actor(api)

    for given, taken in ((5, "5"), (True, "True"), (1.5, "1.5"), ({}, "{}"), (["first", "second"], "first")):
        body = pair(api, given, [actor])
        assert api.result("POST", "/actors/aliases", user="jdoe", json=body)["alias"] == taken


@pytest.mark.parametrize(
    ("given", "status"),
    [(None, 400), ([], 400), ({}, 404), (5, 404), (True, 404), ("", 404), ("x" * 5000, 404), ("ünï", 404)],
)
def test_what_cannot_be_an_actors_id_is_refused(api: Api, given: Any, status: int) -> None:
    an_alias(api, an_actor(api), "old")

    created = api.refusal("POST", "/actors/aliases", status, user="jdoe", json=pair(api, "nick", given))
    moved = api.refusal("PUT", "/actors/aliases/old", user="jdoe", json={api.name("actor_id"): given})

    tenant = api.emulator.settings.tenant
    is_none = status == 400
    assert created == (no_actor_id(api) if is_none else f"No actor found with id: {given}.")
    assert moved == (no_actor_id(api) if is_none else f"Actor {tenant}_{given} does not exist")


# Reading them.


def test_everybody_sees_all_aliases_of_the_tenant(api: Api) -> None:
    """spec: http-api-more #12"""
    actor = an_actor(api)
    an_alias(api, actor)

    response = api.send("GET", "/actors/aliases", user="jane")

    assert response.json()["message"] == "Aliases retrieved successfully."
    assert response.json()["result"] == [shown(api, "nick", actor)]
    assert api.result("GET", "/actors/aliases", user="far") == []
    assert api.refusal("GET", "/actors/aliases", user="nobody") == "Not authorized -- missing required role."


def test_the_list_is_empty_at_first_and_never_a_search(api: Api) -> None:
    assert api.result("GET", "/actors/aliases") == []
    for name in ("one", "two"):
        an_alias(api, an_actor(api), name)

    assert len(api.result("GET", "/actors/aliases?limit=1&alias=one&offset=1", user="jdoe")) == 2


def test_one_alias_is_read_with_read_on_it(api: Api) -> None:
    """spec: http-api-more #13"""
    actor = an_actor(api)
    an_alias(api, actor)

    assert api.refusal("GET", "/actors/aliases/nick", user="jane") == NOT_THIS_ALIAS
    grant(api, "aliases/nick", "jane", "NONE")
    assert api.refusal("GET", "/actors/aliases/nick", user="jane") == NOT_THIS_ALIAS
    grant(api, "aliases/nick", "jane", "READ")
    assert api.result("GET", "/actors/aliases/nick", user="jane") == shown(api, "nick", actor)
    assert api.result("GET", "/actors/aliases/nick", user="admin") == shown(api, "nick", actor)


def test_permissions_on_an_alias_give_none_on_its_actor(api: Api) -> None:
    """spec: http-api-more #14"""
    actor = an_actor(api)
    an_alias(api, actor)
    grant(api, "aliases/nick", "jane", "UPDATE")

    assert api.refusal("GET", "/actors/nick", user="jane") == NOT_THIS_ACTOR
    assert api.refusal("POST", "/actors/nick/messages", user="jane", data={"message": "m"}) == NOT_THIS_ACTOR
    assert api.refusal("DELETE", "/actors/nick", user="jane") == NOT_THIS_ACTOR


def test_permissions_on_an_actor_give_none_on_its_alias(api: Api) -> None:
    actor = an_actor(api)
    an_alias(api, actor)
    grant(api, actor, "jane", "UPDATE")

    assert api.result("GET", "/actors/nick", user="jane")["id"] == actor
    assert api.refusal("GET", "/actors/aliases/nick", user="jane") == NOT_THIS_ALIAS


@pytest.mark.parametrize("level", ["NONE", "READ", "EXECUTE"])
def test_an_alias_is_changed_with_update_on_it_alone(api: Api, level: str) -> None:
    actor = an_actor(api)
    an_alias(api, actor)
    grant(api, "aliases/nick", "jane", level)
    grant(api, actor, "jane", "UPDATE")

    body = {api.name("actor_id"): actor}
    assert api.refusal("PUT", "/actors/aliases/nick", user="jane", json=body) == NOT_THIS_ALIAS
    assert api.refusal("DELETE", "/actors/aliases/nick", user="jane") == NOT_THIS_ALIAS
    entry = {"user": "jane", "level": "UPDATE"}
    assert api.refusal("POST", "/actors/aliases/nick/permissions", user="jane", json=entry) == NOT_THIS_ALIAS
    assert api.result("GET", "/actors/nick")["id"] == actor


def test_the_creator_has_update_in_the_aliass_own_map(api: Api) -> None:
    """spec: http-api-more #22"""
    actor = an_actor(api)
    an_alias(api, actor)

    response = api.send("GET", "/actors/aliases/nick/permissions", user="jdoe")

    assert response.json()["message"] == "Permissions retrieved successfully."
    assert response.json()["result"] == {"jdoe": "UPDATE"}
    assert grant(api, "aliases/nick", "jane", "READ") == {"jdoe": "UPDATE", "jane": "READ"}
    assert api.result("GET", f"/actors/{actor}/permissions") == {"jdoe": "UPDATE"}


def test_an_actors_id_under_aliases_has_the_actors_permissions(api: Api) -> None:
    actor = an_actor(api)

    assert grant(api, f"aliases/{actor}", "jane", "READ") == {"jdoe": "UPDATE", "jane": "READ"}
    assert api.result("GET", f"/actors/{actor}", user="jane")["id"] == actor


# Moving and removing them.


def test_an_alias_itself_cannot_be_updated_and_an_update_needs_an_actor(api: Api) -> None:
    """spec: http-api-more #15"""
    actor = an_actor(api)
    an_alias(api, actor)

    for how in ("json", "data"):
        body: Any = pair(api, "other", actor)
        assert api.refusal("PUT", "/actors/aliases/nick", user="jdoe", **{how: body}) == (
            "Invalid alias update description. The alias itself cannot be updated in a PUT request."
        )
    assert api.refusal("PUT", "/actors/aliases/nick", user="jdoe", json={}) == no_actor_id(api)
    assert api.refusal("PUT", "/actors/aliases/nick", user="jdoe") == no_actor_id(api)


@pytest.mark.parametrize("level", [None, "NONE", "READ", "EXECUTE"])
def test_an_alias_is_not_pointed_at_an_actor_without_update_on_that(api: Api, level: str | None) -> None:
    """spec: http-api-more #16"""
    first, second = an_actor(api), an_actor(api)
    an_alias(api, first)
    grant(api, "aliases/nick", "jane", "UPDATE")
    if level:
        grant(api, second, "jane", level)

    message = api.refusal("PUT", "/actors/aliases/nick", user="jane", json={api.name("actor_id"): second})

    assert message == (
        "Not authorized -- you do not have UPDATE access to the actor you want to associate with this alias."
    )
    assert api.result("GET", "/actors/nick")["id"] == first


@pytest.mark.parametrize("how", ["json", "data", "params"])
def test_an_update_moves_the_alias_to_another_actor(api: Api, how: str) -> None:
    """spec: http-api-more #17"""
    first, second = an_actor(api), an_actor(api)
    an_alias(api, first)
    body: Any = {api.name("actor_id"): second}

    response = api.send("PUT", "/actors/aliases/nick", user="jdoe", **{how: body})

    assert (response.status_code, response.json()["message"]) == (200, "Actor alias updated successfully.")
    assert response.json()["result"] == shown(api, "nick", second)
    assert api.result("GET", "/actors/nick", user="jdoe")["id"] == second
    assert api.result("GET", "/actors/aliases/nick", user="jdoe") == shown(api, "nick", second)


def test_an_update_by_another_leaves_the_owner_and_gives_the_other_update(api: Api) -> None:
    """spec: http-api-more #17"""
    first, second = an_actor(api), an_actor(api, "jane")
    an_alias(api, first)

    result = api.result("PUT", "/actors/aliases/nick", json={api.name("actor_id"): second})

    assert result == shown(api, "nick", second)
    after = api.result("GET", "/actors/aliases/nick/permissions")
    assert after == {"jdoe": "UPDATE", "admin": "UPDATE"}


@pytest.mark.parametrize("user", ["jdoe", "admin"])
def test_only_an_admin_points_an_alias_at_what_does_not_exist(api: Api, user: str) -> None:
    an_alias(api, an_actor(api))
    body = {api.name("actor_id"): "nope"}
    tenant = api.emulator.settings.tenant

    if user == "admin":
        assert api.result("PUT", "/actors/aliases/nick", json=body) == shown(api, "nick", "nope")
        assert api.refusal("GET", "/actors/nick", 404) == "No actor found with identifier: nick."
    else:
        refusal = api.refusal("PUT", "/actors/aliases/nick", user=user, json=body)
        assert refusal == f"Actor {tenant}_nope does not exist"


def test_who_has_update_on_an_alias_deletes_it_without_any_on_the_actor(api: Api) -> None:
    """spec: http-api-more #18"""
    actor = an_actor(api)
    an_alias(api, actor)
    grant(api, "aliases/nick", "jane", "UPDATE")

    response = api.send("DELETE", "/actors/aliases/nick", user="jane")

    assert (response.status_code, response.json()["result"]) == (200, None)
    assert response.json()["message"] == "Alias nick deleted successfully."
    assert api.result("GET", "/actors/aliases") == []
    assert api.result("GET", f"/actors/{actor}", user="jdoe")["id"] == actor


def test_a_deleted_alias_stands_for_nothing(api: Api) -> None:
    """spec: http-api-more #19"""
    actor = an_actor(api)
    an_alias(api, actor)
    api.result("DELETE", "/actors/aliases/nick")
    body = {api.name("actor_id"): actor}

    for method, given in (("DELETE", {}), ("GET", {}), ("PUT", body)):
        assert api.refusal(method, "/actors/aliases/nick", 404, json=given) == "No alias found: nick."
    for user in ("admin", "jdoe"):
        assert api.refusal("GET", "/actors/nick", 404, user=user) == "Actor with identifier 'nick' not found"


def test_a_new_alias_of_an_old_name_has_none_of_the_old_ones_permissions(api: Api) -> None:
    actor = an_actor(api)
    an_alias(api, actor)
    grant(api, "aliases/nick", "jane", "UPDATE")
    api.result("DELETE", "/actors/aliases/nick", user="jdoe")

    grant(api, actor, "admin", "UPDATE")
    an_alias(api, actor, user="admin")

    assert api.result("GET", "/actors/aliases/nick/permissions") == {"admin": "UPDATE"}
    for user in ("jane", "jdoe"):
        assert api.refusal("GET", "/actors/aliases/nick", user=user) == NOT_THIS_ALIAS


@pytest.mark.parametrize("user", ["jdoe", "admin"])
@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_the_collection_is_taken_for_an_actor_that_has_no_name(api: Api, method: str, user: str) -> None:
    message = api.refusal(method, "/actors/aliases", 404, user=user, json={})

    assert message == "Unable to parse actor identifier: is it missing from the URL?"


# Standing for an actor.


def test_what_is_read_under_an_alias_is_what_is_read_under_the_id(api: Api) -> None:
    """spec: http-api #22; spec: http-api-more #20"""
    actor = api.actor(lambda context: print("said"), user="jdoe")
    an_alias(api, actor)
    execution = api.run(actor).id
    nonce = api.result("POST", f"/actors/{actor}/nonces")["id"]

    paths = ["", "/messages", "/executions", f"/executions/{execution}", f"/executions/{execution}/logs", "/state"]
    paths += ["/nonces", f"/nonces/{nonce}", "/permissions", "/executions?limit=1", "/executions?status=COMPLETE"]
    for path in paths:
        under_id = api.send("GET", f"/actors/{actor}{path}", user="jdoe").json()
        under_alias = api.send("GET", f"/actors/nick{path}", user="jdoe").json()
        assert (under_id["status"], under_alias) == ("success", under_id), path
        assert "nick" not in str(under_alias)


def test_links_under_an_alias_hold_the_actors_id(api: Api) -> None:
    """spec: http-api #22; spec: http-api-more #20"""
    actor = an_actor(api)
    an_alias(api, actor)
    posted = api.result("POST", "/actors/nick/messages", user="jdoe", data={"message": "m"})

    url = f"{api.emulator.url}/actors/v2/{actor}"
    for path in ("messages", "executions"):
        assert api.result("GET", f"/actors/nick/{path}", user="jdoe")["_links"]["self"] == f"{url}/{path}"
    assert posted["_links"]["messages"] == f"{url}/messages"
    assert posted["_links"]["self"] == f"{url}/executions/{posted[api.name('execution_id')]}"
    assert api.result("GET", "/actors/nick", user="jdoe")["_links"]["self"] == url


def test_a_message_to_an_alias_runs_its_actor_and_its_result_is_read_there(api: Api) -> None:
    """spec: http-api #22"""
    actor = api.actor(lambda context: context.send_result(b"done"), user="jdoe")
    an_alias(api, actor)

    path = f"/actors/nick/executions/{api.run('nick').id}"

    assert api.result("GET", path, user="jdoe")[api.name("actor_id")] == actor
    assert api.send("GET", f"{path}/results", user="jdoe").content == b"done"
    assert api.refusal("DELETE", path, user="jdoe").startswith("Cannot force quit an execution not in RUNNING")


def test_a_synchronous_message_to_an_alias_is_answered_with_its_log(api: Api) -> None:
    """spec: http-api #22"""
    an_alias(api, api.actor(lambda context: print("said"), user="jdoe"))

    response = api.send("POST", "/actors/nick/messages?_abaco_synchronous=true", user="jdoe", data={"message": "m"})

    assert (response.status_code, response.text) == (200, "said\n")


def test_workers_are_read_asked_for_and_stopped_under_an_alias(api: Api) -> None:
    """spec: http-api #22"""
    actor = api.actor(user="jdoe", stateless=False)
    an_alias(api, actor)
    workers = [each["id"] for each in api.result("GET", f"/actors/{actor}/workers")]

    assert [each["id"] for each in api.result("GET", "/actors/nick/workers", user="jdoe")] == workers
    assert api.result("GET", f"/actors/nick/workers/{workers[0]}", user="jdoe")["id"] == workers[0]
    found = api.result("GET", "/actors/nick/workers?limit=5", user="jdoe")["search"]
    assert [each["id"] for each in found] == workers
    again = api.send("POST", "/actors/nick/workers", json={"num": 1})
    assert again.json()["message"] == "Actor nick already had 1 worker(s)."
    stopped = api.send("DELETE", f"/actors/nick/workers/{workers[0]}", user="jdoe")
    assert stopped.json()["message"] == "Worker scheduled to be stopped."


def test_what_is_written_under_an_alias_is_the_actors(api: Api) -> None:
    """spec: http-api #22"""
    actor = an_actor(api, stateless=False)
    an_alias(api, actor)

    api.result("POST", "/actors/nick/state", user="jdoe", json={"k": 1})
    nonce = api.result("POST", "/actors/nick/nonces", user="jdoe")
    grant(api, "nick", "jane", "READ")
    api.result("POST", "/actors/nick/messages", user="jdoe", data={"message": "m"})

    assert api.result("GET", f"/actors/{actor}/state") == {"state": {"k": 1}}
    assert nonce[api.name("actor_id")] == actor
    assert [each["id"] for each in api.result("GET", f"/actors/{actor}/nonces")] == [nonce["id"]]
    assert api.result("GET", f"/actors/{actor}/permissions") == {"jdoe": "UPDATE", "jane": "READ"}
    assert api.result("GET", f"/actors/{actor}/executions")[api.name("total_executions")] == 1
    assert api.result("DELETE", "/actors/nick/messages", user="jdoe")["msg"] == "Actor mailbox purged."
    assert api.result("GET", f"/actors/{actor}/messages")["messages"] == 0
    api.result("DELETE", f"/actors/nick/nonces/{nonce['id']}", user="jdoe")
    assert api.result("GET", f"/actors/{actor}/nonces") == []


def test_an_actor_is_updated_and_deleted_under_its_alias(api: Api) -> None:
    """spec: http-api #22"""
    actor = an_actor(api)
    an_alias(api, actor)

    body = {"image": "no/such:image", "description": "new"}
    updated = api.result("PUT", "/actors/nick", user="jdoe", json=body)
    assert (updated["id"], api.result("GET", f"/actors/{actor}")["description"]) == (actor, "new")
    assert api.result("DELETE", "/actors/nick", user="jdoe") is None
    assert api.refusal("GET", f"/actors/{actor}", 404) == f"No actor found with identifier: {actor}."


def test_an_alias_outlives_its_actor(api: Api) -> None:
    """spec: http-api-more #21"""
    actor = an_actor(api)
    an_alias(api, actor)
    tenant = api.emulator.settings.tenant

    api.result("DELETE", f"/actors/{actor}", user="jdoe")

    assert api.result("GET", "/actors/aliases/nick", user="jdoe") == shown(api, "nick", actor)
    assert api.refusal("GET", "/actors/nick", 404) == "No actor found with identifier: nick."
    assert api.refusal("GET", "/actors/nick", user="jdoe") == f"Actor {tenant}_{actor} does not exist"
    successor = an_actor(api)
    api.result("PUT", "/actors/aliases/nick", user="jdoe", json={api.name("actor_id"): successor})
    assert api.result("GET", "/actors/nick", user="jdoe")["id"] == successor


def test_a_refusal_under_an_alias_names_what_the_path_names(api: Api) -> None:
    actor = an_actor(api)
    an_alias(api, actor)
    api.result("DELETE", f"/actors/{actor}")

    for path in ("messages", "executions", "state"):
        assert api.refusal("GET", f"/actors/nick/{path}", 404) == "No actor found with id: nick."


def test_an_execution_that_is_unknown_under_an_alias_is_told_by_the_alias(api: Api) -> None:
    an_alias(api, an_actor(api))
    absent = "No executions found with actor id of nick and execution id of E."

    for user in ("jdoe", "admin"):
        assert api.refusal("GET", "/actors/nick/executions/E", user=user) == absent
        assert api.refusal("DELETE", "/actors/nick/executions/E", user=user) == absent
        assert api.refusal("GET", "/actors/nick/executions/E/logs", user=user) == absent


def test_an_alias_that_is_not_there_is_told_to_others_as_an_actor(api: Api) -> None:
    """spec: http-api-more #19"""
    path, gone = "/actors/aliases/nick", "Actor with identifier 'nick' not found"
    for method, where in (
        ("GET", path),
        ("PUT", path),
        ("DELETE", path),
        ("GET", f"{path}/permissions"),
        ("POST", f"{path}/permissions"),
        ("GET", f"{path}/nonces"),
    ):
        for user in ("jdoe", "nobody"):
            assert api.refusal(method, where, 404, user=user, json={}) == gone
