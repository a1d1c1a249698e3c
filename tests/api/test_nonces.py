"""``…/nonces`` of actors and aliases, and what may be done with one."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
import requests

from abacito.abaco import ids
from abacito.abaco.nonce import MOST_USES
from tests.api.conftest import Api
from tests.api.test_actors import MILLISECONDS
from tests.api.test_aliases import NOT_THIS_ACTOR, an_actor, an_alias, grant

NO_SUCH_NONCE = "Nonce does not exist."
NOT_FOUND = "Nonce not found."
TOO_LOW = "Nonce does not have sufficient permissions level."
NONE_LEFT = "No remaining uses left for this nonce."
NOT_BOTH = "Not authorized -- you do not have access to this alias and actor."
LEVELS = ("NONE", "READ", "EXECUTE", "UPDATE")
BAD_USES = "The max uses parameter must be a positive integer or -1 (to denote unlimited uses)."
UNABLE = "Invalid nonce description: Unable to process the JSON description."
UNTIL_S = 20


def a_nonce(api: Api, of: str, user: str = "jdoe", **fields: Any) -> dict[str, Any]:
    """A nonce of an actor's id or alias, or of ``aliases/<alias>``; fields by their snake names."""
    body = {api.name(name): value for name, value in fields.items()}
    return dict(api.result("POST", f"/actors/{of}/nonces", user=user, json=body))


def at(path: str, nonce: dict[str, Any] | str) -> str:
    """The path with the nonce in its query."""
    word = nonce if isinstance(nonce, str) else nonce["id"]
    return f"/actors/{path}?x-nonce={quote(word, safe='')}"


def uses(api: Api, of: str, nonce: dict[str, Any]) -> tuple[int, int]:
    """How often the nonce was used, and how often it may be."""
    found = api.result("GET", f"/actors/{of}/nonces/{nonce['id']}")
    return found[api.name("current_uses")], found[api.name("remaining_uses")]


def max_uses_help(api: Api) -> str:
    help_text = "Maximum number of times this nonce can be redeemed. Default is unlimited."
    return f"Invalid nonce description: {{'{api.name('max_uses')}': '{help_text}'}}"


def bad_level(levels: tuple[str, ...] = LEVELS) -> str:
    return f"Invalid nonce description. The level attribute must be one of: {levels}"


@pytest.fixture(params=["actor", "alias"])
def owned(request: pytest.FixtureRequest, api: Api) -> str:
    """Where nonces are made: under an actor of jdoe's, then under an alias of it."""
    actor = an_actor(api)
    return actor if request.param == "actor" else f"aliases/{an_alias(api, actor)}"


def word(owned: str) -> str:
    """The actor, under the name whose nonces count."""
    return owned.removeprefix("aliases/")


# Making them.


@pytest.mark.parametrize("given", [{}, {"json": {}}, {"json": None}, {"json": []}, {"data": {}}])
def test_an_actors_nonce_has_abacos_defaults(api: Api, given: dict[str, Any]) -> None:
    """spec: http-api #21, #27, #109"""
    actor = an_actor(api)

    response = api.send("POST", f"/actors/{actor}/nonces", user="jdoe", **given)

    nonce, url = response.json()["result"], f"{api.emulator.url}/actors/v2/{actor}"
    assert (response.status_code, response.json()["message"]) == (200, "Actor nonce created successfully.")
    identifier, created = nonce.pop("id"), nonce.pop(api.name("create_time"))
    assert re.fullmatch(rf"{re.escape(api.emulator.settings.tenant)}_[0-9A-Za-z]{{13}}", identifier)
    assert re.match(MILLISECONDS, created)
    assert nonce == {
        api.name("actor_id"): actor,
        api.name("api_server"): api.emulator.url,
        "owner": "jdoe",
        "roles": ["Internal/everyone"],
        "level": "EXECUTE",
        "description": "",
        api.name("max_uses"): -1,
        api.name("remaining_uses"): -1,
        api.name("current_uses"): 0,
        api.name("last_use_time"): "None",
        "_links": {
            "self": f"{url}/nonces/{identifier}",
            "owner": f"{api.emulator.url}/profiles/v2/jdoe",
            "actor": url,
        },
    }


def test_an_aliass_nonce_names_the_alias_and_no_actor(api: Api) -> None:
    """spec: http-api #24; spec: http-api-more #23"""
    alias = an_alias(api, an_actor(api), "nick_name")

    response = api.send("POST", f"/actors/aliases/{alias}/nonces", user="jdoe")

    nonce, url = response.json()["result"], f"{api.emulator.url}/actors/v2/None"
    assert (response.status_code, response.json()["message"]) == (200, "Alias nonce created successfully.")
    assert (nonce["level"], nonce[api.name("max_uses")], nonce[api.name("remaining_uses")]) == ("EXECUTE", -1, -1)
    assert (nonce["alias"], nonce[api.name("last_use_time")]) == (alias, "None")
    assert (api.name("actor_id") in nonce) == (api.case == "snake")
    assert nonce.get("actor_id") is None
    assert nonce["_links"] == {
        "self": f"{url}/nonces/{nonce['id']}",
        "owner": f"{api.emulator.url}/profiles/v2/jdoe",
        "actor": url,
    }


def test_an_aliass_nonce_in_a_tenant_with_an_underscore_names_the_alias_whole(api: Api) -> None:
    actor = an_actor(api, "far")
    an_alias(api, actor, user="far")

    nonce = a_nonce(api, "aliases/nick", "far")

    assert nonce["alias"] == "nick"
    assert nonce["id"].startswith("OTHER_TENANT_")
    assert api.send("GET", at("nick", nonce), user=None).json()["result"]["id"] == actor


@pytest.mark.parametrize("how", ["json", "data", "params"])
def test_what_is_asked_for_comes_back_however_it_was_sent(api: Api, owned: str, how: str) -> None:
    fields: Any = {"level": "READ", api.name("max_uses"): 3, "description": "naïve ☃"}

    made = api.result("POST", f"/actors/{owned}/nonces", user="jdoe", **{how: fields})

    assert {name: made[name] for name in fields} == fields
    assert made[api.name("remaining_uses")] == 3
    assert api.result("GET", f"/actors/{owned}/nonces/{made['id']}", user="jdoe") == made
    assert api.result("GET", f"/actors/{owned}/nonces", user="jdoe") == [made]


def test_a_nonce_is_owned_by_who_made_it_with_his_roles_then(api: Api, owned: str) -> None:
    nonce = a_nonce(api, owned, "admin")

    assert nonce["owner"] == "admin"
    assert "Internal/abaco-admin" in nonce["roles"]


def test_bad_levels_and_uses_are_refused_in_three_ways(api: Api) -> None:
    """spec: http-api #115"""
    actor = an_actor(api)

    def refused(**fields: Any) -> str:
        body = {api.name(name): value for name, value in fields.items()}
        return api.refusal("POST", f"/actors/{actor}/nonces", user="jdoe", json=body)

    assert refused(level="read") == bad_level()
    assert refused(max_uses=0) == BAD_USES
    assert refused(max_uses=-2) == BAD_USES
    assert refused(max_uses="abc") == max_uses_help(api)
    assert api.result("GET", f"/actors/{actor}/nonces") == []


def test_an_aliass_nonce_cannot_have_level_update(api: Api) -> None:
    """spec: http-api-more #24"""
    an_alias(api, an_actor(api))

    for level in ("UPDATE", "read", None):
        for user in ("jdoe", "admin"):
            message = api.refusal("POST", "/actors/aliases/nick/nonces", user=user, json={"level": level})
            assert message == bad_level(("NONE", "READ", "EXECUTE"))
    assert [a_nonce(api, "aliases/nick", level=level)["level"] for level in LEVELS[:3]] == list(LEVELS[:3])


def test_an_aliass_nonce_has_possible_uses(api: Api) -> None:
    """spec: http-api-more #25"""
    an_alias(api, an_actor(api))

    for given, message in ((0, BAD_USES), (-2, BAD_USES), ("x", max_uses_help(api))):
        body = {api.name("max_uses"): given}
        assert api.refusal("POST", "/actors/aliases/nick/nonces", user="jdoe", json=body) == message


def test_what_is_no_level_is_refused(api: Api) -> None:
    path = f"/actors/{an_actor(api)}/nonces"

    for level in (None, "", 5, True, {}, {"a": 1}, "EXECUTE ", "x" * 5000, "ＲＥＡＤ", ["read", "READ"]):
        assert api.refusal("POST", path, user="jdoe", json={"level": level}) == bad_level()


def test_what_is_no_number_of_uses_is_refused_with_the_fields_help(api: Api, owned: str) -> None:
    headers = {"Content-Type": "application/json"}

    for given in ('""', '"2.7"', '"ünï"', "{}", '{"a": 1}', "[[1]]", "1e999", "NaN", f'"{"9" * 5000}"'):
        body = f'{{"{api.name("max_uses")}": {given}}}'.encode()
        message = api.refusal("POST", f"/actors/{owned}/nonces", user="jdoe", data=body, headers=headers)
        assert message == max_uses_help(api)


def test_null_uses_and_more_than_can_be_counted_are_refused(api: Api, owned: str) -> None:
    def refused(given: int | None) -> str:
        return api.refusal("POST", f"/actors/{owned}/nonces", user="jdoe", json={api.name("max_uses"): given})

    assert refused(None) == "The max uses parameter must be an integer."
    assert refused(False) == BAD_USES
    assert refused(MOST_USES + 1) == refused(10**40) == f"The max uses parameter must be at most {MOST_USES}."
    assert a_nonce(api, owned, max_uses=MOST_USES)[api.name("remaining_uses")] == MOST_USES


def test_what_can_be_a_number_of_uses_becomes_one(api: Api) -> None:
    actor = an_actor(api)

    for given, taken in ((2.7, 2), (True, 1), ("12", 12), ([3, 4], 3), ([], -1)):
        assert a_nonce(api, actor, max_uses=given)[api.name("max_uses")] == taken


def test_any_description_becomes_text(api: Api, owned: str) -> None:
    long = "é" * 9999

    for given, taken in ((5, "5"), (True, "True"), ({"a": 1}, "{'a': 1}"), ([], ""), (["x", "y"], "x"), (long, long)):
        assert a_nonce(api, owned, description=given)["description"] == taken


def test_a_null_description_stays_null(api: Api, owned: str) -> None:
    nonce = a_nonce(api, owned, description=None)

    assert nonce.get("description", None) is None
    assert ("description" in nonce) == (api.case == "snake")


def test_a_description_over_the_stores_limit_is_refused_in_words(api: Api, owned: str) -> None:
    message = api.refusal("POST", f"/actors/{owned}/nonces", user="jdoe", json={"description": "x" * 500_000})

    assert "400 KB" in message
    assert api.result("GET", f"/actors/{owned}/nonces") == []


def test_a_body_that_is_no_json_object_cannot_be_processed(api: Api, owned: str) -> None:
    headers = {"Content-Type": "application/json"}

    for body in (b"", b"{", b"\xff", b'{"level": "\\ud800"}', b"5", b"true", b'"text"', b'["x"]'):
        for user in ("jdoe", "admin"):
            assert api.refusal("POST", f"/actors/{owned}/nonces", user=user, data=body, headers=headers) == UNABLE


# Reading and deleting them.


def test_nonces_are_listed_in_order_of_creation_with_their_counts_used_up_ones_too(api: Api, owned: str) -> None:
    """spec: http-api #110"""
    nonces = [a_nonce(api, owned, level="READ", max_uses=count) for count in (1, 2, -1)]
    for nonce in nonces:
        api.result("GET", at(word(owned), nonce), user=None)

    response = api.send("GET", f"/actors/{owned}/nonces", user="jdoe").json()

    kind = "Alias" if owned.startswith("aliases/") else "Actor"
    assert response["message"] == f"{kind} nonces retrieved successfully."
    assert [each["id"] for each in response["result"]] == [nonce["id"] for nonce in nonces]
    assert [each[api.name("current_uses")] for each in response["result"]] == [1, 1, 1]
    assert [each[api.name("remaining_uses")] for each in response["result"]] == [0, 1, -1]
    assert [each[api.name("max_uses")] for each in response["result"]] == [1, 2, -1]
    assert all(re.match(MILLISECONDS, each[api.name("last_use_time")]) for each in response["result"])


def test_a_nonce_is_read_and_deleted_by_its_id(api: Api, owned: str) -> None:
    kept, nonce = a_nonce(api, owned), a_nonce(api, owned)
    path = f"/actors/{owned}/nonces/{nonce['id']}"

    kind = "Alias" if owned.startswith("aliases/") else "Actor"
    found = api.send("GET", path, user="jdoe").json()
    assert (found["message"], found["result"]) == (f"{kind} nonce retrieved successfully.", nonce)
    deleted = api.send("DELETE", path, user="jdoe").json()
    assert (deleted["message"], deleted["result"]) == (f"{kind} nonce deleted successfully.", None)
    assert api.refusal("GET", path, user="jdoe") == NOT_FOUND
    assert api.result("GET", f"/actors/{owned}/nonces") == [kept]


@pytest.mark.parametrize("has_one", [True, False])
def test_an_unknown_nonce_is_not_found(api: Api, owned: str, has_one: bool) -> None:
    """spec: http-api #118; spec: http-api-more #30"""
    if has_one:
        a_nonce(api, owned)
    foreign = a_nonce(api, an_actor(api))["id"]
    tenant = api.emulator.settings.tenant

    for unknown in ("nope", f"{tenant}_{ids.new_id()}", ids.new_id(), "☃", f"{tenant}_{'x' * 3000}", foreign):
        path = f"/actors/{owned}/nonces/{quote(unknown, safe='')}"
        for user in ("jdoe", "admin"):
            assert api.refusal("GET", path, user=user) == NOT_FOUND
            assert api.refusal("DELETE", path, user=user) == NOT_FOUND


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_nonces_know_no_other_methods(api: Api, owned: str, method: str) -> None:
    api.refusal(method, f"/actors/{owned}/nonces", 405, user="jdoe")
    if method != "DELETE":
        api.refusal(method, f"/actors/{owned}/nonces/x", 405, user="jdoe")


@pytest.mark.parametrize("level", LEVELS[:3])
def test_nonces_are_read_with_read_and_made_and_deleted_with_update(api: Api, level: str) -> None:
    actor = an_actor(api)
    nonce = a_nonce(api, actor, level="UPDATE")
    grant(api, actor, "jane", level)

    for path in (f"/actors/{actor}/nonces", f"/actors/{actor}/nonces/{nonce['id']}"):
        if level == "NONE":
            assert api.refusal("GET", path, user="jane") == NOT_THIS_ACTOR
        else:
            assert api.result("GET", path, user="jane") in (nonce, [nonce])
    assert api.refusal("POST", f"/actors/{actor}/nonces", user="jane") == NOT_THIS_ACTOR
    assert api.refusal("DELETE", f"/actors/{actor}/nonces/{nonce['id']}", user="jane") == NOT_THIS_ACTOR
    grant(api, actor, "jane", "UPDATE")
    assert a_nonce(api, actor, "jane")["owner"] == "jane"
    assert api.result("DELETE", f"/actors/{actor}/nonces/{nonce['id']}", user="jane") is None


@pytest.mark.parametrize(
    ("on_alias", "on_actor", "reads", "writes"),
    [
        ("UPDATE", None, False, False),
        (None, "UPDATE", False, False),
        ("READ", "NONE", False, False),
        ("READ", "READ", True, False),
        ("UPDATE", "EXECUTE", True, False),
        ("EXECUTE", "UPDATE", True, False),
        ("UPDATE", "UPDATE", True, True),
    ],
)
def test_an_aliass_nonces_ask_for_the_level_on_alias_and_actor(
    api: Api, on_alias: str | None, on_actor: str | None, reads: bool, writes: bool
) -> None:
    """spec: http-api-more #31"""
    actor = an_actor(api)
    an_alias(api, actor)
    nonce = a_nonce(api, "aliases/nick")
    for path, level in (("aliases/nick", on_alias), (actor, on_actor)):
        if level:
            grant(api, path, "jane", level)

    base = "/actors/aliases/nick/nonces"
    one = f"{base}/{nonce['id']}"
    for method, path, allowed in (
        ("GET", base, reads),
        ("GET", one, reads),
        ("POST", base, writes),
        ("DELETE", one, writes),
    ):
        if allowed:
            api.result(method, path, user="jane")
        else:
            assert api.refusal(method, path, user="jane") == NOT_BOTH


def test_nonces_of_an_alias_whose_actor_is_gone_are_the_admins_alone(api: Api) -> None:
    actor = an_actor(api)
    an_alias(api, actor)
    nonce = a_nonce(api, "aliases/nick")
    api.result("DELETE", f"/actors/{actor}")

    message = api.refusal("GET", "/actors/aliases/nick/nonces", user="jdoe")

    assert message == f"Actor {api.emulator.settings.tenant}_{actor} does not exist"
    assert api.result("GET", "/actors/aliases/nick/nonces") == [nonce]


@pytest.mark.parametrize(
    ("user", "message"), [("admin", "No alias found: nope."), ("jdoe", "Actor with identifier 'nope' not found")]
)
def test_nonces_of_an_alias_that_is_not_there(api: Api, user: str, message: str) -> None:
    for method, path in (("GET", ""), ("POST", ""), ("GET", "/x"), ("DELETE", "/x")):
        assert api.refusal(method, f"/actors/aliases/nope/nonces{path}", 404, user=user) == message


# Redeeming them.


def test_a_nonce_is_good_for_so_many_uses(api: Api) -> None:
    """spec: http-api #110"""
    actor = an_actor(api)
    nonce = a_nonce(api, actor, max_uses=3, level="READ")

    for _ in range(3):
        assert api.result("GET", at(actor, nonce), user=None)["id"] == actor
    assert api.refusal("GET", at(actor, nonce), user=None) == NONE_LEFT

    found = api.result("GET", f"/actors/{actor}/nonces/{nonce['id']}", user="jdoe")
    assert [found[api.name(name)] for name in ("current_uses", "remaining_uses", "max_uses")] == [3, 0, 3]


def test_an_aliass_nonce_of_two_uses_fails_the_third_time(api: Api) -> None:
    """spec: http-api-more #29"""
    an_alias(api, an_actor(api))
    nonce = a_nonce(api, "aliases/nick", max_uses=2)

    api.result("GET", at("nick", nonce), user=None)
    api.result("GET", at("aliases/nick", nonce), user=None)

    assert api.refusal("GET", at("nick", nonce), user=None) == NONE_LEFT
    assert api.refusal("GET", at("aliases/nick", nonce), user=None) == NONE_LEFT
    assert uses(api, "aliases/nick", nonce) == (2, 0)


def test_an_unlimited_nonce_counts_its_uses_and_never_ends(api: Api, owned: str) -> None:
    nonce = a_nonce(api, owned)

    for _ in range(5):
        api.result("GET", at(word(owned), nonce), user=None)

    assert uses(api, owned, nonce) == (5, -1)


def test_an_aliass_nonce_opens_the_actor_under_the_alias_and_the_alias(api: Api) -> None:
    """spec: http-api-more #26"""
    actor = an_actor(api)
    an_alias(api, actor)
    nonce = a_nonce(api, "aliases/nick")

    assert api.result("GET", at("nick", nonce), user=None)["id"] == actor
    assert api.result("GET", at("nick/executions", nonce), user=None)[api.name("actor_id")] == actor
    assert api.result("POST", at("nick/messages", nonce), user=None, data={"message": "m"})["msg"] == "m"
    assert api.result("GET", at("aliases/nick", nonce), user=None)["alias"] == "nick"
    assert api.result("GET", at("aliases/nick/permissions", nonce), user=None) == {"jdoe": "UPDATE"}
    assert api.result("GET", at("aliases/nick/nonces", nonce), user=None)[0]["id"] == nonce["id"]


def test_a_nonce_opens_its_actor_only_by_the_name_it_was_made_for(api: Api) -> None:
    """spec: http-api-more #27"""
    actor = an_actor(api)
    an_alias(api, actor)
    of_alias, of_actor = a_nonce(api, "aliases/nick"), a_nonce(api, "nick")

    assert api.refusal("GET", at(actor, of_alias), user=None) == NO_SUCH_NONCE
    assert api.refusal("GET", at("nick", of_actor), user=None) == NO_SUCH_NONCE
    assert api.refusal("GET", at("aliases/nick", of_actor), user=None) == NO_SUCH_NONCE
    assert api.result("GET", at(actor, of_actor), user=None)["id"] == actor
    assert (uses(api, "aliases/nick", of_alias), uses(api, actor, of_actor)) == ((0, -1), (1, -1))


def test_an_aliass_nonce_does_not_open_another_alias_of_the_actor(api: Api) -> None:
    """spec: http-api-more #27"""
    actor = an_actor(api)
    an_alias(api, actor)
    an_alias(api, actor, "other")

    assert api.refusal("GET", at("other", a_nonce(api, "aliases/nick")), user=None) == NO_SUCH_NONCE


def test_an_aliass_nonce_follows_the_alias_to_its_next_actor(api: Api) -> None:
    first, second = an_actor(api), an_actor(api)
    an_alias(api, first)
    nonce = a_nonce(api, "aliases/nick")

    api.result("PUT", "/actors/aliases/nick", user="jdoe", json={api.name("actor_id"): second})

    assert api.result("GET", at("nick", nonce), user=None)["id"] == second


def test_a_nonce_that_reads_posts_no_message_and_is_not_spent_by_trying(api: Api, owned: str) -> None:
    """spec: http-api #111; spec: http-api-more #28"""
    nonce = a_nonce(api, owned, level="READ", max_uses=1)
    path = at(f"{word(owned)}/messages", nonce)

    for _ in range(3):
        assert api.refusal("POST", path, user=None, data={"message": "m"}) == TOO_LOW

    assert uses(api, owned, nonce) == (0, 1)
    assert api.result("GET", path, user=None)["messages"] == 0


def test_a_nonce_of_something_else_does_not_exist(api: Api) -> None:
    """spec: http-api #112"""
    actor, other, far = an_actor(api), an_actor(api), an_actor(api, "far")
    deleted = a_nonce(api, actor)
    api.result("DELETE", f"/actors/{actor}/nonces/{deleted['id']}", user="jdoe")
    tenant = api.emulator.settings.tenant

    known = [a_nonce(api, other)["id"], a_nonce(api, far, "far")["id"], deleted["id"]]
    unknown = [f"{tenant}_{ids.new_id()}", f"{tenant}_nope", "nope", "_", "", "☃", f"{tenant}_{'x' * 3000}", "x" * 3000]
    for nonce in known + unknown:
        assert api.refusal("GET", at(actor, nonce), user=None) == NO_SUCH_NONCE
        assert api.refusal("POST", at(f"{actor}/messages", nonce), user=None, data={"message": "m"}) == NO_SUCH_NONCE


def test_a_nonce_is_looked_for_in_the_tenant_that_it_names(api: Api) -> None:
    """spec: http-api #112"""
    actor = an_actor(api)
    an_alias(api, actor)
    tail = a_nonce(api, actor)["id"].rpartition("_")[2]

    assert api.refusal("GET", at(actor, f"ELSEWHERE_{tail}"), user=None) == NO_SUCH_NONCE
    assert (
        api.refusal("GET", at("nick", f"ELSEWHERE_{tail}"), 404, user=None) == "Actor with identifier 'nick' not found"
    )


def test_a_nonce_in_a_header_is_no_credential(api: Api) -> None:
    """spec: http-api #113"""
    actor = an_actor(api)
    nonce = a_nonce(api, actor)

    response = api.send("GET", f"/actors/{actor}", user=None, headers={"x-nonce": nonce["id"]})

    assert (response.status_code, response.json()["fault"]["code"]) == (401, 900902)
    assert uses(api, actor, nonce) == (0, -1)


def test_a_nonce_beside_a_token_is_neither_looked_at_nor_spent(api: Api) -> None:
    """spec: http-api #17"""
    actor = an_actor(api)
    nonce = a_nonce(api, actor, max_uses=1)

    assert api.result("GET", at(actor, nonce), user="jdoe")["id"] == actor
    assert api.result("GET", at(actor, "junk"), user="jdoe")["id"] == actor
    assert api.refusal("GET", at(actor, nonce), user="jane") == NOT_THIS_ACTOR
    assert uses(api, actor, nonce) == (0, 1)


#: Path below the actor, method, body, and the level that a nonce must have for it (http-api §8.3).
ROUTES: list[tuple[str, str, Any, str]] = [
    ("", "GET", None, "READ"),
    ("/messages", "GET", None, "READ"),
    ("/executions", "GET", None, "READ"),
    ("/state", "GET", None, "READ"),
    ("/nonces", "GET", None, "READ"),
    ("/permissions", "GET", None, "READ"),
    ("/workers", "GET", None, "READ"),
    ("/messages", "POST", {"message": "m"}, "EXECUTE"),
    ("/messages", "DELETE", None, "UPDATE"),
    ("/state", "POST", {"k": 1}, "UPDATE"),
    ("/nonces", "POST", {}, "UPDATE"),
    ("/permissions", "POST", {"user": "jane", "level": "READ"}, "UPDATE"),
    ("", "PUT", {"image": "no/such:image", "stateless": False}, "UPDATE"),
    ("", "DELETE", None, "UPDATE"),
]
#: The same below ``/actors/aliases/<alias>``, which no nonce of an alias changes: it cannot have UPDATE.
ALIAS_ROUTES: list[tuple[str, str, Any, str]] = [
    ("", "GET", None, "READ"),
    ("/nonces", "GET", None, "READ"),
    ("/permissions", "GET", None, "READ"),
    ("", "PUT", {}, "UPDATE"),
    ("", "DELETE", None, "UPDATE"),
    ("/nonces", "POST", {}, "UPDATE"),
    ("/permissions", "POST", {"user": "jane", "level": "READ"}, "UPDATE"),
]


def opens(api: Api, of: str, routes: list[tuple[str, str, Any, str]], nonce: dict[str, Any]) -> int:
    """Check each route against the nonce's level; how many it opens."""
    opened = [route for route in routes if LEVELS.index(nonce["level"]) >= LEVELS.index(route[3])]
    for route in routes:
        path, method, body, _ = route
        if route in opened:
            api.result(method, at(of + path, nonce), user=None, json=body)
        else:
            assert api.refusal(method, at(of + path, nonce), user=None, json=body) == TOO_LOW, route
    return len(opened)


@pytest.mark.parametrize("level", LEVELS)
def test_a_nonce_opens_what_its_level_opens(api: Api, level: str) -> None:
    """spec: http-api #111, #114"""
    actor = an_actor(api, stateless=False)
    nonce = a_nonce(api, actor, level=level)

    count = opens(api, actor, ROUTES, nonce)

    assert count == {"NONE": 0, "READ": 7, "EXECUTE": 8, "UPDATE": 14}[level]
    if level != "UPDATE":  # the actor of that one has been deleted, and its nonces with it
        assert uses(api, actor, nonce) == (count, -1)


@pytest.mark.parametrize("level", LEVELS[:3])
def test_an_aliass_nonce_opens_what_its_level_opens(api: Api, level: str) -> None:
    """spec: http-api-more #26, #28"""
    an_alias(api, an_actor(api, stateless=False))
    nonce = a_nonce(api, "aliases/nick", level=level)

    count = opens(api, "nick", ROUTES, nonce) + opens(api, "aliases/nick", ALIAS_ROUTES, nonce)

    assert uses(api, "aliases/nick", nonce) == (count, -1)


def test_a_head_is_a_get_to_a_nonce(api: Api, owned: str) -> None:
    path = word(owned)

    assert api.send("HEAD", at(path, a_nonce(api, owned, level="READ")), user=None).status_code == 200
    assert api.send("HEAD", at(path, a_nonce(api, owned, level="NONE")), user=None).status_code == 400


def test_an_update_nonces_writes_are_done(api: Api) -> None:
    """spec: http-api #114"""
    actor = an_actor(api, stateless=False)
    nonce = a_nonce(api, actor, level="UPDATE")

    body = {"image": "no/such:image", "description": "by nonce", "stateless": False}
    api.result("PUT", at(actor, nonce), user=None, json=body)
    api.result("POST", at(f"{actor}/state", nonce), user=None, json={"k": 1})
    api.result("POST", at(f"{actor}/permissions", nonce), user=None, json={"user": "jane", "level": "READ"})
    second = api.result("POST", at(f"{actor}/nonces", nonce), user=None, json={"level": "UPDATE"})

    found = api.result("GET", f"/actors/{actor}", user="jane")
    assert (found["description"], found["state"], second["owner"]) == ("by nonce", {"k": 1}, "jdoe")
    api.result("DELETE", at(f"{actor}/nonces/{nonce['id']}", second), user=None)
    assert api.refusal("GET", at(actor, nonce), user=None) == NO_SUCH_NONCE


def test_an_update_nonce_of_an_ordinary_user_asks_for_no_workers_and_an_admins_does(api: Api) -> None:
    """spec: http-api #114"""
    actor = an_actor(api)

    ordinary, admins = a_nonce(api, actor, level="UPDATE"), a_nonce(api, actor, "admin", level="UPDATE")

    message = api.refusal("POST", at(f"{actor}/workers", ordinary), user=None, json={"num": 1})
    assert message == "Not authorized -- only admins are authorized to update workers."
    assert api.send("POST", at(f"{actor}/workers", admins), user=None, json={"num": 1}).status_code == 200


def test_an_execution_by_nonce_is_the_nonces_owners_and_its_container_is_told_the_nonce(api: Api) -> None:
    """spec: http-api #116"""
    actor = api.actor(lambda context: print(context.environment["x-nonce"], context.environment["_abaco_username"]))
    grant(api, actor, "jdoe", "UPDATE")
    nonce = a_nonce(api, actor)

    posted = api.result("POST", at(f"{actor}/messages", nonce), user=None, data={"message": "m"})

    path = f"/actors/{actor}/executions/{posted[api.name('execution_id')]}"
    assert api.result("GET", path)["executor"] == "jdoe"
    assert api.result("GET", path)["_links"]["owner"] == f"{api.emulator.url}/profiles/v2/jdoe"
    within = {"actor": actor, "execution": posted[api.name("execution_id")], "within": UNTIL_S}
    assert api.send("GET", "/_abacito/wait", params=within).status_code == 200
    assert api.result("GET", f"{path}/logs")["logs"] == f"{nonce['id']} jdoe\n"


def test_an_admins_nonce_reads_all_of_its_actor_and_nothing_of_another(api: Api) -> None:
    actor, other = an_actor(api), an_actor(api)
    nonce = a_nonce(api, actor, "admin", level="READ")

    assert api.result("GET", at(f"{actor}/permissions", nonce), user=None) == {"jdoe": "UPDATE"}
    assert api.refusal("GET", at(other, nonce), user=None) == NO_SUCH_NONCE


def test_a_nonce_is_worth_no_more_than_its_owner_still_may_and_is_spent_all_the_same(api: Api, owned: str) -> None:
    nonce = a_nonce(api, owned, max_uses=2)
    path = at(word(owned), nonce)
    api.result("GET", path, user=None)
    actor = api.result("GET", f"/actors/{word(owned)}")["id"]
    grant(api, actor, "jdoe", "NONE")

    assert api.refusal("GET", path, user=None) == NOT_THIS_ACTOR

    assert uses(api, owned, nonce) == (2, 0)
    assert api.refusal("GET", path, user=None) == NONE_LEFT


def test_a_use_is_spent_though_the_call_itself_fails(api: Api, owned: str) -> None:
    nonce = a_nonce(api, owned, max_uses=1)
    path = at(f"{word(owned)}/executions/nope", nonce)

    assert api.refusal("GET", path, user=None).startswith("No executions found")

    assert uses(api, owned, nonce) == (1, 0)


def test_a_wrong_method_and_a_preflight_spend_nothing(api: Api, owned: str) -> None:
    nonce = a_nonce(api, owned, max_uses=1)

    for path in (word(owned), f"{word(owned)}/messages", f"{owned}/nonces"):
        assert api.send("PATCH", at(path, nonce), user=None).status_code == 405
        assert api.send("OPTIONS", at(path, nonce), user=None).status_code == 200

    assert uses(api, owned, nonce) == (0, 1)


def test_lists_that_are_asked_with_a_nonce_alone_are_no_searches(api: Api, owned: str) -> None:
    nonce = a_nonce(api, owned)

    assert api.result("GET", at(f"{word(owned)}/executions", nonce), user=None)["executions"] == []
    assert isinstance(api.result("GET", at(f"{word(owned)}/workers", nonce), user=None), list)


def test_a_nonce_counts_below_both_roots(api: Api, owned: str) -> None:
    nonce = a_nonce(api, owned, max_uses=2)

    for root in ("v2/", "/v2//"):
        api.result("GET", at(root + word(owned), nonce), user=None)

    assert uses(api, owned, nonce) == (2, 0)


def test_paths_without_an_actor_are_opened_by_no_nonce(api: Api) -> None:
    """spec: http-api #117; spec: http-api-more #32"""
    actor = an_actor(api)
    an_alias(api, actor)

    no_identifier = "Unable to parse actor identifier: is it missing from the URL?"
    for nonce in (a_nonce(api, actor), a_nonce(api, "aliases/nick"), "junk"):
        for method in ("GET", "POST"):
            assert api.refusal(method, at("", nonce), user=None) == "Not authorized."
            assert api.refusal(method, at("aliases", nonce), 404, user=None) == no_identifier
        assert api.refusal("GET", at("search/actors", nonce), 404, user=None) == (
            "'x-nonce' query parameter on the '/actors/search/{database}' endpoint does not resolve."
        )


# Two at once, and the end.


def at_once(count: int, send: Callable[[], requests.Response]) -> list[requests.Response]:
    """The answers to so many requests, each on a connection of its own, sent in the same moment."""
    answers: list[requests.Response] = []
    ready = threading.Barrier(count)

    def run() -> None:
        ready.wait(UNTIL_S)
        answers.append(send())

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


@pytest.mark.parametrize("limit", [1, 3])
def test_the_last_use_is_spent_once_however_many_come_at_once(api: Api, owned: str, limit: int) -> None:
    for _ in range(6):
        nonce = a_nonce(api, owned, max_uses=limit)
        url = api.emulator.url + at(word(owned), nonce)

        answers = at_once(8, lambda url=url: requests.get(url, timeout=UNTIL_S))  # type: ignore[misc]

        told = Counter(answer.json()["message"] for answer in answers)
        assert told == {"Actor retrieved successfully.": limit, NONE_LEFT: 8 - limit}
        assert uses(api, owned, nonce) == (limit, 0)


def test_of_messages_that_come_at_once_as_many_run_as_the_nonce_has_uses(api: Api, owned: str) -> None:
    nonce = a_nonce(api, owned, max_uses=2)
    url = api.emulator.url + at(f"{word(owned)}/messages", nonce)

    answers = at_once(8, lambda: requests.post(url, data={"message": "m"}, timeout=UNTIL_S))

    accepted = [a.json()["result"][api.name("execution_id")] for a in answers if a.status_code == 200]
    listed = api.result("GET", f"/actors/{word(owned)}/executions")["executions"]
    assert sorted(each["id"] for each in listed) == sorted(accepted)
    assert len(accepted) == 2


def test_uses_of_an_unlimited_nonce_are_all_counted(api: Api, owned: str) -> None:
    nonce = a_nonce(api, owned)
    url = api.emulator.url + at(word(owned), nonce)

    answers = at_once(8, lambda: requests.get(url, timeout=UNTIL_S))

    assert {answer.status_code for answer in answers} == {200}
    assert uses(api, owned, nonce) == (8, -1)


def test_nonces_of_a_deleted_actor_are_gone(api: Api) -> None:
    """spec: http-api #66"""
    actor = an_actor(api)
    nonces = [a_nonce(api, actor, user) for user in ("jdoe", "admin")]

    api.result("DELETE", f"/actors/{actor}", user="jdoe")

    for nonce in nonces:
        assert api.refusal("GET", at(actor, nonce), user=None) == NO_SUCH_NONCE
    assert api.result("GET", f"/actors/{actor}/nonces") == []


def test_nonces_of_a_deleted_alias_are_gone_and_a_new_one_of_its_name_has_none(api: Api) -> None:
    actor = an_actor(api)
    an_alias(api, actor)
    nonces = [a_nonce(api, "aliases/nick", user) for user in ("jdoe", "admin")]
    of_actor = a_nonce(api, actor)
    api.result("DELETE", "/actors/aliases/nick", user="jdoe")

    gone = "Actor with identifier 'nick' not found"
    assert {api.refusal("GET", at("nick", nonce), 404, user=None) for nonce in nonces} == {gone}
    an_alias(api, actor)

    for nonce in nonces:
        assert api.refusal("GET", at("nick", nonce), user=None) == NO_SUCH_NONCE
        assert api.refusal("GET", at("aliases/nick", nonce), user=None) == NO_SUCH_NONCE
    assert api.result("GET", "/actors/aliases/nick/nonces", user="jdoe") == []
    assert api.result("GET", at(actor, of_actor), user=None)["id"] == actor


def test_one_nonce_of_an_alias_is_read_and_removed(api: Api) -> None:
    """spec: http-api-more #23, #30"""
    api.result("POST", "/actors/aliases", json={"alias": "nick", api.name("actor_id"): api.actor()})
    nonce = api.result("POST", "/actors/aliases/nick/nonces", json={})["id"]

    assert api.result("GET", f"/actors/aliases/nick/nonces/{nonce}")["id"] == nonce
    api.result("DELETE", f"/actors/aliases/nick/nonces/{nonce}")
    assert api.refusal("GET", f"/actors/aliases/nick/nonces/{nonce}") == "Nonce not found."
    assert api.refusal("DELETE", f"/actors/aliases/nick/nonces/{nonce}") == "Nonce not found."
