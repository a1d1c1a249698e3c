from __future__ import annotations

import ast
import logging
from typing import Any
from urllib.parse import quote

import pytest
from cryptography.fernet import Fernet

from abacito.abaco import ids
from abacito.abaco.config import Config
from tests.api.conftest import Api

HELP = {
    "name": "Name of the config",
    "value": "The value of the config; JSON Serializable. Set as the ENV VAR value.",
    "is_secret": "Whether the config should be encrypted at rest and not retrievable.",
    "actors": "List of actor IDs or aliases that should get this config/secret.",
}
CREATION = "Invalid config description. Missing required field: "
UPDATE = (
    "Invalid alias description. Could not determine if required fields are present. Is the body valid JSON? Details: "
)
NOT_THIS_CONFIG = "You do not have sufficient access to this actor config."
TOO_LARGE = "Everything together may have 400 KB, which is the store's limit for one record."
TENANT = "TACC-PROD"
SECRET = "correct horse battery staple"


def tells(context: Any) -> None:
    print(context.environment["_actor_configs"])


def body(api: Api, actors: str, **fields: Any) -> dict[str, Any]:
    """A config's description; ``fields`` by their snake names."""
    described = {"name": "c1", "value": "v", "is_secret": False, "actors": actors, **fields}
    return {api.name(name): value for name, value in described.items()}


def config(api: Api, actors: str, user: str = "jdoe", **fields: Any) -> Any:
    return api.result("POST", "/actors/configs", user=user, json=body(api, actors, **fields))


def alias(api: Api, name: str, actor: str, user: str = "jdoe") -> str:
    api.result("POST", "/actors/aliases", user=user, json={"alias": name, api.name("actor_id"): actor})
    return name


def delivered(api: Api, actor: str) -> Any:
    """What the actor's next execution finds in its environment."""
    return ast.literal_eval(api.run(actor).logs)


def refused_field(api: Api, prefix: str, field: str) -> str:
    return f"{prefix}{ ({api.name(field): HELP[field]}) }"


def test_a_plain_config_is_echoed(api: Api) -> None:
    """spec: http-api-more #47"""
    actor = api.actor(user="jdoe")

    response = api.send("POST", "/actors/configs", user="jdoe", json=body(api, actor, value="a, 'b' \"c\" é"))

    shown = {"name": "c1", "value": "a, 'b' \"c\" é", api.name("is_secret"): False, "actors": actor}
    assert (response.status_code, response.json()["result"]) == (200, shown)
    assert response.json()["message"] == "Actor config created successfully."
    for user in ("jdoe", "admin"):
        got = api.send("GET", "/actors/configs/c1", user=user).json()
        assert (got["message"], got["result"]) == ("Config retrieved successfully.", shown)
    listed = api.send("GET", "/actors/configs", user="jane").json()
    assert (listed["message"], listed["result"]) == ("Actor Configs retrieved successfully.", [shown])


def test_a_config_may_come_as_a_form_or_as_query(api: Api) -> None:
    """spec: http-api-more #47 (§0: sources)"""
    actor = api.actor(user="jdoe")
    form, query = body(api, actor, is_secret="false"), body(api, actor, name="c2", is_secret="0")

    assert api.result("POST", "/actors/configs", user="jdoe", data=form)[api.name("is_secret")] is False
    assert api.result("POST", "/actors/configs", user="jdoe", params=query)["name"] == "c2"


@pytest.mark.parametrize(("given", "kept"), [(5, "5"), (True, "True"), ({"a": 1}, "{'a': 1}"), (["x", "y"], "x")])
def test_a_value_that_is_no_text_becomes_pythons_text_of_it(api: Api, given: Any, kept: str) -> None:
    """spec: http-api-more #47 (§3.1)"""
    assert config(api, api.actor(user="jdoe"), value=given)["value"] == kept


def test_a_value_of_null_is_kept_and_camel_does_not_show_it(api: Api) -> None:
    """spec: http-api-more #47 (§3.1, §0)"""
    actor = api.actor(tells, user="jdoe")

    shown = config(api, actor, value=None)

    assert shown.get("value", None if api.case == "camel" else "") is None
    assert ("value" in shown) is (api.case == "snake")
    assert delivered(api, actor) == {"c1": None}


def test_a_secret_is_only_ever_shown_as_ciphertext(api: Api) -> None:
    """spec: http-api-more #48"""
    actor = api.actor(user="jdoe")

    created = config(api, actor, value=SECRET, is_secret=True)

    assert created["value"].startswith("gAAAA")
    assert created[api.name("is_secret")] is True
    for user in ("jdoe", "admin"):
        assert api.result("GET", "/actors/configs/c1", user=user) == created
        assert api.result("GET", "/actors/configs", user=user) == [created]
    updated = api.result("PUT", "/actors/configs/c1", user="jdoe", json=body(api, actor, value="new", is_secret=True))
    assert updated["value"].startswith("gAAAA")
    assert updated["value"] != created["value"]


def test_a_secret_is_encrypted_at_rest(api: Api) -> None:
    """spec: http-api-more #48"""
    config(api, api.actor(user="jdoe"), value=SECRET, is_secret=True)

    stored = api.emulator.stored.configs.get(TENANT, "c1")

    assert stored is not None
    assert stored.value is not None
    assert stored.value.startswith("gAAAA")
    assert SECRET not in repr(stored)


def test_equal_secrets_have_different_ciphertexts(api: Api) -> None:
    """spec: http-api-more #48"""
    actor = api.actor(user="jdoe")

    first, second = (config(api, actor, name=name, value=SECRET, is_secret=True)["value"] for name in ("a", "b"))

    assert first != second


@pytest.mark.parametrize("how", ["accepted", "refused", "not permitted", "unknown actor"])
def test_a_secret_is_in_no_log(api: Api, caplog: pytest.LogCaptureFixture, how: str) -> None:
    actor = api.actor(user="jdoe")
    with caplog.at_level(logging.DEBUG):
        config(api, actor, value=SECRET, is_secret=True)
        sent = {
            "accepted": ("jdoe", body(api, actor, value=SECRET, is_secret=True)),
            "refused": ("jdoe", body(api, actor, value=SECRET, is_secret="maybe")),
            "not permitted": ("jane", body(api, actor, value=SECRET, is_secret=True)),
            "unknown actor": ("jdoe", body(api, "henry", value=SECRET, is_secret=True)),
        }
        user, described = sent[how]

        answer = api.send("PUT", "/actors/configs/c1", user=user, json=described)
        api.run(actor)

    assert answer.ok is (how == "accepted")
    assert SECRET not in answer.text
    ours = [record for record in caplog.records if record.name.startswith("abacito")]
    assert not [record for record in ours if SECRET in record.getMessage()]
    assert SECRET not in caplog.text


def test_what_is_no_boolean_is_no_secret_flag(api: Api) -> None:
    """spec: http-api-more #49"""
    actor = api.actor(user="jdoe")
    config(api, actor)

    no_booleans: list[Any] = ["maybe", "", " true", "yes", 0, 1, {}, None, "x" * 5000, "é"]
    for given in no_booleans:
        described = body(api, actor, is_secret=given)
        for method, path, prefix in (("POST", "", CREATION), ("PUT", "/c1", UPDATE)):
            message = api.refusal(method, f"/actors/configs{path}", user="jdoe", json=described)
            assert message == refused_field(api, prefix, "is_secret"), given


@pytest.mark.parametrize("given", ["True", "FALSE", "1", "0", True, False])
def test_a_secret_flag_may_be_text(api: Api, given: Any) -> None:
    """spec: http-api-more #49"""
    taken = given in ("True", "1", True)

    assert config(api, api.actor(user="jdoe"), is_secret=given)[api.name("is_secret")] is taken


@pytest.mark.parametrize("field", HELP)
@pytest.mark.parametrize("how", ["missing", "null", "empty list"])
def test_each_field_is_required(api: Api, field: str, how: str) -> None:
    """spec: http-api-more #49, #56"""
    actor = api.actor(user="jdoe")
    config(api, actor)
    described = body(api, actor, is_secret=True)
    if how == "missing":
        del described[api.name(field)]
    else:
        described[api.name(field)] = None if how == "null" else []

    message = api.refusal("POST", "/actors/configs", user="jdoe", json=described)
    assert message == refused_field(api, CREATION, field)
    message = api.refusal("PUT", "/actors/configs/c1", user="jdoe", json=described)
    assert message == refused_field(api, UPDATE, field)


def test_the_first_field_that_fails_is_named(api: Api) -> None:
    """spec: http-api-more #49"""
    message = api.refusal("POST", "/actors/configs", json={"value": "v"})

    assert message == refused_field(api, CREATION, "name")
    assert api.refusal("POST", "/actors/configs") == message


@pytest.mark.parametrize("sent", [b"", b"{", b'{"name": "\\ud800"}', b"[1]", b"5", b'"text"'])
@pytest.mark.parametrize("user", ["admin", "jdoe"])
def test_a_body_that_makes_no_sense_is_the_callers_fault(api: Api, user: str, sent: bytes) -> None:
    """spec: http-api-more #56 (§0: bad JSON)"""
    config(api, api.actor(user="jdoe"))
    headers = {"Content-Type": "application/json"}

    for method, path, prefix in (("POST", "", CREATION), ("PUT", "/c1", UPDATE)):
        message = api.refusal(method, f"/actors/configs{path}", user=user, data=sent, headers=headers)
        assert message == f"{prefix}Unable to process the JSON description."


def test_an_unknown_actor_is_told_before_a_duplicate_and_a_bad_name(api: Api) -> None:
    """spec: http-api-more #50"""
    config(api, api.actor(user="jdoe"))

    for name in ("c1", "new", "utilization", "a b"):
        message = api.refusal("POST", "/actors/configs", 404, json=body(api, "henry", name=name))
        assert message == "No actor or alias found with id: henry."
    message = api.refusal("PUT", "/actors/configs/c1", 404, json=body(api, "henry"))
    assert message == "No actor or alias found with id: henry."


@pytest.mark.parametrize("bad", ["", "{actor},", ",{actor}", "{actor},,", "{actor} x", "{actor};"])
def test_each_entry_must_be_an_actor_or_an_alias(api: Api, bad: str) -> None:
    """spec: http-api-more #50"""
    actor = api.actor(user="jdoe")
    actors = bad.format(actor=actor)

    message = api.refusal("POST", "/actors/configs", 404, user="jdoe", json=body(api, actors))

    entry = next(entry for entry in actors.split(",") if entry != actor)
    assert message == f"No actor or alias found with id: {entry}."
    assert api.result("GET", "/actors/configs") == []


@pytest.mark.parametrize("given", [5, True, {}, "é", "x" * 5000, "x" * 400_000, "\0"])
def test_actors_that_can_be_nobodys_are_not_found(api: Api, given: Any) -> None:
    """spec: http-api-more #50"""
    message = api.refusal("POST", "/actors/configs", 404, json=body(api, given))

    assert message == f"No actor or alias found with id: {given}."


def test_an_id_that_is_no_actors_or_another_tenants_is_unknown(api: Api) -> None:
    """spec: http-api-more #50"""
    theirs = api.result("POST", "/actors", user="far", json={"image": "x"})["id"]
    alias(api, "distant", theirs, user="far")

    for entry in (ids.new_id(), theirs, "distant"):
        message = api.refusal("POST", "/actors/configs", 404, json=body(api, entry))
        assert message == f"No actor or alias found with id: {entry}."


def test_a_name_is_unique_in_its_tenant(api: Api) -> None:
    """spec: http-api-more #51"""
    actor = api.actor(user="jdoe")
    config(api, actor)

    message = api.refusal("POST", "/actors/configs", user="jane", json=body(api, actor, value="other"))

    assert message == "Config c1 already exists; please choose another name for your config"
    assert api.result("GET", "/actors/configs/c1")["value"] == "v"
    theirs = api.result("POST", "/actors", user="far", json={"image": "x"})["id"]
    assert config(api, theirs, user="far", value="theirs")["value"] == "theirs"
    assert [each["value"] for each in api.result("GET", "/actors/configs", user="far")] == ["theirs"]
    assert [each["value"] for each in api.result("GET", "/actors/configs")] == ["v"]


def test_reserved_words_are_no_names(api: Api) -> None:
    """spec: http-api-more #52"""
    actor = api.actor(user="jdoe")

    for word in ("executions", "nonces", "logs", "messages", "adapters", "admin", "utilization"):
        message = api.refusal("POST", "/actors/configs", user="jdoe", json=body(api, actor, name=word))
        assert message == (
            f"{word} is a reserved word. The following reserved words cannot be used for a config: "
            "['executions', 'nonces', 'logs', 'messages', 'adapters', 'admin', 'utilization']."
        )
        assert config(api, actor, name=word.capitalize())["name"] == word.capitalize()


def test_forbidden_characters_are_named(api: Api) -> None:
    """spec: http-api-more #52"""
    actor = api.actor(user="jdoe")

    for character in ":/?#[]@!$&'()*+,;= ":
        described = body(api, actor, name=f"a{character}b")
        message = api.refusal("POST", "/actors/configs", user="jdoe", json=described)
        assert message == (
            f"'{character}' is a forbidden character. "
            "The following characters cannot be used for a config name: [:/?#[]@!$&'()*+,;= ]."
        )


def test_of_several_forbidden_characters_the_first_of_the_list_is_named(api: Api) -> None:
    """spec: http-api-more #52"""
    message = api.refusal("POST", "/actors/configs", json=body(api, api.actor(), name=" =;:"))

    assert message.startswith("':' is a forbidden character.")


@pytest.mark.parametrize("name", ["dots.in.it", "a-b_c~d%25", '"', "a\\b", "é", "1", "x" * 1000])
def test_all_other_characters_may_be_in_a_name(api: Api, name: str) -> None:
    """spec: http-api-more #52"""
    assert config(api, api.actor(user="jdoe"), name=name)["name"] == name

    path = f"/actors/configs/{quote(name, safe='')}"
    assert api.result("GET", path, user="jdoe")["name"] == name
    api.result("DELETE", path, user="jdoe")
    assert api.result("GET", "/actors/configs") == []


def test_what_the_store_cannot_keep_is_refused_in_words(api: Api) -> None:
    actor = api.actor(user="jdoe")
    for field, value, message in (
        ("name", "x" * 1001, "The name is too long: a config name may have 1000 bytes."),
        ("name", "é" * 501, "The name is too long: a config name may have 1000 bytes."),
        ("value", "x" * 420_000, TOO_LARGE),
        ("actors", ",".join([actor] * 40_000), TOO_LARGE),
    ):
        described = {**body(api, actor), field: value}
        assert api.refusal("POST", "/actors/configs", user="jdoe", json=described) == message
    assert api.result("GET", "/actors/configs") == []

    config(api, actor, value="x" * 100_000, is_secret=True)
    message = api.refusal("PUT", "/actors/configs/c1", json=body(api, actor, value="x" * 310_000, is_secret=True))

    assert message == TOO_LARGE
    assert len(api.result("GET", "/actors/configs/c1")["value"]) < 140_000


def test_the_actors_are_echoed_as_typed(api: Api) -> None:
    """spec: http-api-more #53"""
    first, second = api.actor(tells, user="jdoe"), api.actor(tells, user="jdoe")

    for name, actors in (("c1", f"{first},{second}"), ("c2", f"  {first} ,\t{second}\n"), ("c3", f"{first},{first}")):
        assert config(api, actors, name=name)["actors"] == actors

    assert delivered(api, second) == {"c1": "v", "c2": "v"}
    assert delivered(api, first) == {"c1": "v", "c2": "v", "c3": "v"}


def test_of_a_list_of_actors_the_first_counts(api: Api) -> None:
    """spec: http-api-more #53 (§3.1)"""
    first, second = api.actor(user="jdoe"), api.actor(user="jdoe")

    described = {**body(api, ""), "actors": [first, second]}

    assert api.result("POST", "/actors/configs", user="jdoe", json=described)["actors"] == first


def test_an_alias_may_stand_among_the_actors(api: Api) -> None:
    """spec: http-api-more #54"""
    actor = api.actor(tells, user="jdoe")
    alias(api, "jan", actor)

    assert config(api, "jan")["actors"] == "jan"
    assert config(api, f"{api.actor(user='jdoe')}, jan", name="c2")["name"] == "c2"
    assert delivered(api, actor) == {"c1": "v", "c2": "v"}


def test_no_permission_on_the_actors_is_needed(api: Api) -> None:
    """spec: http-api-more #55"""
    actor = api.actor(tells, user="admin")

    assert config(api, actor, user="jdoe")["actors"] == actor
    assert config(api, actor, user="jane", name="c2")["actors"] == actor
    assert delivered(api, actor) == {"c1": "v", "c2": "v"}


def test_an_update_replaces_all_but_the_name(api: Api) -> None:
    """spec: http-api-more #57"""
    first, second = api.actor(tells, user="jdoe"), api.actor(tells, user="jdoe")
    config(api, first)

    described = body(api, second, name="renamed", value="w")
    response = api.send("PUT", "/actors/configs/c1", user="jdoe", json=described).json()

    assert response["message"] == "Actor config updated successfully."
    assert response["result"] == {**described, "name": "c1"}
    assert api.result("GET", "/actors/configs") == [response["result"]]
    assert api.refusal("GET", "/actors/configs/renamed", 404) == "No config found: renamed."
    assert (delivered(api, first), delivered(api, second)) == ({}, {"c1": "w"})


def test_an_update_switches_the_secret_flag_both_ways(api: Api) -> None:
    """spec: http-api-more #57"""
    actor = api.actor(tells, user="jdoe")
    config(api, actor)
    field = api.name("is_secret")

    secret = api.result("PUT", "/actors/configs/c1", json=body(api, actor, value="s", is_secret=True))
    assert (secret[field], secret["value"][:5]) == (True, "gAAAA")
    assert delivered(api, actor) == {"c1": "s"}
    plain = api.result("PUT", "/actors/configs/c1", json=body(api, actor, value="p", is_secret=False))
    assert (plain[field], plain["value"]) == (False, "p")
    assert delivered(api, actor) == {"c1": "p"}


def test_an_update_keeps_the_permissions(api: Api) -> None:
    """spec: http-api-more #57 (§3.3, 3)"""
    actor = api.actor(user="jdoe")
    config(api, actor)
    api.result("POST", "/actors/configs/c1/permissions", user="jdoe", json={"user": "jane", "level": "READ"})

    api.result("PUT", "/actors/configs/c1", user="admin", json=body(api, actor))

    assert api.result("GET", "/actors/configs/c1/permissions") == {"jdoe": "UPDATE", "jane": "READ"}


def test_an_update_refuses_before_it_changes_anything(api: Api) -> None:
    """spec: http-api-more #56"""
    actor = api.actor(user="jdoe")
    before = config(api, actor)

    api.refusal("PUT", "/actors/configs/c1", user="jdoe", json={"value": "w"})
    api.refusal("PUT", "/actors/configs/c1", 404, user="jdoe", json=body(api, f"{actor},henry", value="w"))

    assert api.result("GET", "/actors/configs/c1") == before


def test_a_config_whose_actor_is_gone_cannot_be_updated_until_it_is_dropped(api: Api) -> None:
    """spec: http-api-more #50, #56 (§3.3, 4)"""
    first, second = api.actor(user="jdoe"), api.actor(tells, user="jdoe")
    config(api, f"{first},{second}")
    api.result("DELETE", f"/actors/{first}", user="jdoe")

    assert api.result("GET", "/actors/configs/c1")["actors"] == f"{first},{second}"
    assert delivered(api, second) == {"c1": "v"}
    message = api.refusal("PUT", "/actors/configs/c1", 404, user="jdoe", json=body(api, f"{first},{second}"))
    assert message == f"No actor or alias found with id: {first}."
    assert api.result("PUT", "/actors/configs/c1", user="jdoe", json=body(api, second))["actors"] == second


def test_a_stranger_is_refused_whatever_he_sends(api: Api) -> None:
    """spec: http-api-more #58"""
    actor = api.actor(user="jdoe")
    before = config(api, actor)

    for user in ("jane", "privileged"):
        for method in ("GET", "PUT", "DELETE"):
            for described in (body(api, actor, value="w"), {}, None):
                message = api.refusal(method, "/actors/configs/c1", user=user, json=described)
                assert message == NOT_THIS_CONFIG
    assert api.result("GET", "/actors/configs/c1") == before


@pytest.mark.parametrize(("level", "allowed"), [("NONE", ""), ("READ", "GET"), ("EXECUTE", "GET"), ("UPDATE", "ALL")])
def test_read_opens_a_config_and_update_changes_it(api: Api, level: str, allowed: str) -> None:
    """spec: http-api-more #58, #63"""
    actor = api.actor(user="jdoe")
    config(api, actor)
    api.result("POST", "/actors/configs/c1/permissions", user="jdoe", json={"user": "jane", "level": level})
    entry = {"user": "reader", "level": "READ"}

    for method, path, sent in (
        ("GET", "", None),
        ("GET", "/permissions", None),
        ("PUT", "", body(api, actor)),
        ("POST", "/permissions", entry),
        ("DELETE", "", None),
    ):
        if method == allowed or allowed == "ALL":
            api.result(method, f"/actors/configs/c1{path}", user="jane", json=sent)
        else:
            message = api.refusal(method, f"/actors/configs/c1{path}", user="jane", json=sent)
            assert message == NOT_THIS_CONFIG


def test_a_deleted_config_is_gone_in_each_calls_words(api: Api) -> None:
    """spec: http-api-more #59"""
    actor = api.actor(tells, user="jdoe")
    config(api, actor)

    response = api.send("DELETE", "/actors/configs/c1", user="admin").json()

    assert (response["message"], response["result"]) == ("Actor config c1 deleted successfully.", None)
    assert api.refusal("DELETE", "/actors/configs/c1", 404) == "No config found with name: c1."
    assert api.refusal("GET", "/actors/configs/c1", 404) == "No config found: c1."
    assert api.refusal("PUT", "/actors/configs/c1", 404, json=body(api, actor)) == "No config found: c1."
    for method in ("GET", "PUT", "DELETE"):
        message = api.refusal(method, "/actors/configs/c1", user="jdoe", json=body(api, actor))
        assert message == f"Config {TENANT}_c1 does not exist"
    assert api.result("GET", "/actors/configs") == []
    assert delivered(api, actor) == {}


def test_an_owner_who_is_no_admin_may_do_all_with_his_config(api: Api) -> None:
    """spec: http-api-more #60"""
    actor = api.actor(user="jdoe")
    config(api, actor)

    assert api.result("GET", "/actors/configs/c1", user="jdoe")["value"] == "v"
    assert api.result("PUT", "/actors/configs/c1", user="jdoe", json=body(api, actor, value="w"))["value"] == "w"
    assert api.result("GET", "/actors/configs/c1/permissions", user="jdoe") == {"jdoe": "UPDATE"}
    message = api.send("DELETE", "/actors/configs/c1", user="jdoe").json()["message"]
    assert message == "Actor config c1 deleted successfully."


def test_configs_and_secrets_arrive_as_the_text_of_a_dict(api: Api) -> None:
    """spec: http-api-more #61, execution #27"""
    actor = api.actor(tells, user="jdoe")
    assert api.run(actor).logs == "{}\n"
    config(api, actor, name="the_config", value="my value")
    config(api, actor, name="s1", value="sek\"r'et\né", is_secret=True)

    log = api.run(actor).logs

    assert ast.literal_eval(log) == {"the_config": "my value", "s1": "sek\"r'et\né"}
    assert log == f"{ast.literal_eval(log)}\n"
    assert "'the_config': 'my value'" in log


def test_only_exact_entries_of_the_same_tenant_arrive(api: Api) -> None:
    """spec: http-api-more #61 (§3.5, §13, 13: recommended)"""
    actor, other = api.actor(tells, user="jdoe"), api.actor(tells, user="jdoe")
    alias(api, "jan", actor)
    alias(api, "jane", other)
    alias(api, f"{actor}-2", other)
    theirs = api.result("POST", "/actors", user="far", json={"image": api.emulator.stub(tells)})["id"]
    alias(api, "jan", theirs, user="far")
    config(api, "jan", name="by_alias", value="1")
    config(api, actor, name="by_id", value="2")
    config(api, "jane", name="longer", value="3")
    config(api, f"{actor}-2", name="id_within", value="4")
    config(api, "jan", user="far", name="far_away", value="5")

    assert delivered(api, actor) == {"by_alias": "1", "by_id": "2"}
    assert delivered(api, other) == {"longer": "3", "id_within": "4"}
    path = f"/actors/{theirs}/messages?_abaco_synchronous=true"
    assert ast.literal_eval(api.send("POST", path, user="far", data={"message": "m"}).text) == {"far_away": "5"}


def test_an_alias_counts_for_whom_it_stands_when_the_execution_starts(api: Api) -> None:
    """spec: http-api-more #61 (§1.4)"""
    first, second = api.actor(tells, user="jdoe"), api.actor(tells, user="jdoe")
    alias(api, "jan", first)
    config(api, "jan")
    assert (delivered(api, first), delivered(api, second)) == ({"c1": "v"}, {})

    api.result("PUT", "/actors/aliases/jan", user="jdoe", json={api.name("actor_id"): second})
    assert (delivered(api, first), delivered(api, second)) == ({}, {"c1": "v"})

    api.result("DELETE", "/actors/aliases/jan", user="jdoe")
    assert delivered(api, second) == {}
    assert api.result("GET", "/actors/configs/c1")["actors"] == "jan"


def test_a_secret_of_another_key_is_left_out_without_a_word(api: Api) -> None:
    """spec: http-api-more #61 (§3.5)"""
    actor = api.actor(tells, user="jdoe")
    config(api, actor)
    foreign = Fernet(Fernet.generate_key()).encrypt(b"s").decode()
    api.emulator.stored.configs.add(Config(TENANT, "foreign", foreign, is_secret=True, actors=actor))

    assert delivered(api, actor) == {"c1": "v"}


def test_nobody_forges_the_configs_of_an_execution(api: Api) -> None:
    """spec: http-api-more #61, execution #27"""
    actor = api.actor(tells, user="jdoe", default_environment={"_actor_configs": "{'forged': 1}"})

    execution = api.run(actor, "m", _actor_configs="{'forged': 2}")

    assert execution.logs == "{}\n"


def test_camel_and_snake_each_know_one_spelling(api: Api) -> None:
    """spec: http-api-more #62"""
    actor = api.actor(user="jdoe")
    right, wrong = ("isSecret", "is_secret") if api.case == "camel" else ("is_secret", "isSecret")
    described = {"name": "c1", "value": "v", "actors": actor}

    message = api.refusal("POST", "/actors/configs", user="jdoe", json={**described, wrong: False})

    assert message == refused_field(api, CREATION, "is_secret")
    assert f"'{right}'" in message
    assert set(api.result("POST", "/actors/configs", user="jdoe", json={**described, right: False, wrong: True})) == {
        "name",
        "value",
        right,
        "actors",
    }


def test_a_configs_map_begins_with_its_creator(api: Api) -> None:
    """spec: http-api-more #63"""
    config(api, api.actor(user="admin"))

    assert api.result("GET", "/actors/configs/c1/permissions", user="jdoe") == {"jdoe": "UPDATE"}
    response = api.send(
        "POST", "/actors/configs/c1/permissions", user="jdoe", json={"user": "jane", "level": "READ"}
    ).json()
    assert response["message"] == "Permission added successfully."
    assert response["result"] == {"jdoe": "UPDATE", "jane": "READ"}
    assert api.result("GET", "/actors/configs/c1/permissions", user="jane") == {"jdoe": "UPDATE", "jane": "READ"}


def test_an_unknown_configs_map_is_refused_in_each_callers_words(api: Api) -> None:
    """spec: http-api-more #63"""
    missing = f"Config {TENANT}_nope does not exist"

    assert api.refusal("GET", "/actors/configs/nope/permissions", 404) == missing
    assert api.refusal("GET", "/actors/configs/nope/permissions", 400, user="jdoe") == missing


def test_configs_are_for_users_with_a_role(api: Api) -> None:
    config(api, api.actor(user="jdoe"))

    for method, path in (("GET", ""), ("POST", ""), ("GET", "/c1"), ("PUT", "/c1"), ("DELETE", "/c1")):
        message = api.refusal(method, f"/actors/configs{path}", user="nobody")
        assert message == "Not authorized -- missing required role."


def test_no_nonce_opens_the_configs(api: Api) -> None:
    """spec: http-api-more #32 (§1.4)"""
    actor = api.actor(user="jdoe")
    config(api, actor)
    nonce = api.result("POST", f"/actors/{actor}/nonces", user="jdoe", json={"level": "UPDATE"})["id"]

    for path in ("", "/c1", "/c1/permissions"):
        message = api.refusal("GET", f"/actors/configs{path}?x-nonce={nonce}", 404, user=None)
        assert message == "Actor with identifier 'configs' not found"
    assert api.result("GET", f"/actors/{actor}/nonces/{nonce}")[api.name("current_uses")] == 0


def test_other_methods_are_not_allowed(api: Api) -> None:
    config(api, api.actor(user="jdoe"))

    for method, path in (("POST", "/c1"), ("PATCH", "/c1"), ("PATCH", "")):
        api.refusal(method, f"/actors/configs{path}", 405, user="jdoe")


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_for_these_methods_the_collection_is_an_actors_identifier(api: Api, method: str) -> None:
    """http-api-more §10: static and dynamic routes overlap"""
    for user in ("admin", "jdoe"):
        message = api.refusal(method, "/actors/configs", 404, user=user)
        assert message == "Actor with identifier 'configs' not found"
