"""What the rules need of the records of aliases, nonces and permissions, on every engine."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from abacito.abaco import ids
from abacito.abaco.actor import Actor, ActorKey
from abacito.abaco.alias import Alias
from abacito.abaco.errors import Malformed
from abacito.abaco.names import LONGEST_NAME_BYTES
from abacito.abaco.nonce import MOST_USES, UNLIMITED, Nonce
from abacito.abaco.permission import WORLD, Level, Resource, ResourceKind, as_map
from abacito.aws.session import Storage

NOW = datetime(2026, 11, 24, 12, 0, 0, 123456, tzinfo=UTC)
NAMES = ("nick", "dots.in.my.name", "ünï☃", "a-b_c~d%<e>", "x" * LONGEST_NAME_BYTES, "", "\U0001f600")
WORDS = ("nope", "", "_", "T_", "T_nope", "☃", "NolBaJ5y6714M", "T_NolBaJ5y6714M", "T_" + "x" * 3000)


def an_alias(name: str = "nick", tenant: str = "T") -> Alias:
    return Alias(tenant, name, ids.new_id(), "owner", "http://t")


def of_alias(name: str = "nick", tenant: str = "T") -> Resource:
    return Resource(ResourceKind.ALIAS, tenant, name)


def of_actor() -> Resource:
    return ActorKey("T", ids.new_id()).resource


def a_nonce(resource: Resource, **fields: object) -> Nonce:
    roles = ("Internal/everyone", "é")
    nonce = Nonce(f"T_{ids.new_id()}", resource, "owner", roles, Level.READ, "http://t", NOW)
    return replace(nonce, **fields)  # type: ignore[arg-type]


def limited(resource: Resource, count: int) -> Nonce:
    return a_nonce(resource, max_uses=count, remaining_uses=count)


@pytest.fixture(params=[of_alias, of_actor])
def resource(request: pytest.FixtureRequest) -> Resource:
    """What nonces hang on."""
    make: Callable[[], Resource] = request.param
    return make()


def in_threads(count: int, call: Callable[[], object]) -> list[object]:
    """What so many calls at once answer."""
    answers: list[object] = []
    ready = threading.Barrier(count)

    def run() -> None:
        ready.wait(10)
        answers.append(call())

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


@pytest.mark.parametrize("name", NAMES)
def test_an_alias_comes_back_as_it_was_put(stored: Storage, name: str) -> None:
    alias = an_alias(name)

    assert stored.aliases.add(alias)
    assert stored.aliases.get("T", name) == alias
    assert stored.aliases.list("T") == [alias]


def test_an_alias_is_put_once_in_its_tenant(stored: Storage) -> None:
    alias, elsewhere = an_alias(), an_alias(tenant="U")
    stored.aliases.add(alias)

    assert not stored.aliases.add(an_alias())
    assert stored.aliases.add(elsewhere)
    assert [stored.aliases.get(tenant, "nick") for tenant in "TU"] == [alias, elsewhere]


def test_of_those_who_put_an_alias_at_once_one_does(stored: Storage) -> None:
    assert sorted(map(bool, in_threads(4, lambda: stored.aliases.add(an_alias())))) == [False] * 3 + [True]


def test_aliases_are_listed_by_name_and_only_their_tenants(stored: Storage) -> None:
    for alias in [an_alias("b"), an_alias("c"), an_alias("B"), an_alias("a"), an_alias("z", "U"), an_alias("y", "T2")]:
        stored.aliases.add(alias)

    assert [found.name for found in stored.aliases.list("T")] == ["B", "a", "b", "c"]
    assert stored.aliases.list("V") == []


def test_aliases_are_listed_though_there_are_many(stored: Storage) -> None:
    """More than the megabyte that DynamoDB answers at a time."""
    names = [f"{number:04d}" + "x" * 900 for number in range(600)]
    for name in names:
        stored.aliases.add(replace(an_alias(name), owner="o" * 900))

    assert [found.name for found in stored.aliases.list("T")] == names


def test_an_alias_points_at_another_actor_with_all_else_as_it_was(stored: Storage) -> None:
    alias = an_alias()
    stored.aliases.add(alias)

    assert stored.aliases.point(replace(alias, actor_id="other", owner="thief"))
    assert stored.aliases.get("T", "nick") == replace(alias, actor_id="other")


def test_an_alias_that_is_gone_is_not_pointed_anywhere(stored: Storage) -> None:
    alias = an_alias()
    stored.aliases.add(alias)
    stored.aliases.delete("T", "nick")
    stored.aliases.delete("T", "nick")

    assert not stored.aliases.point(alias)
    assert stored.aliases.get("T", "nick") is None
    assert stored.aliases.list("T") == []


def test_a_nonce_comes_back_as_it_was_put(stored: Storage, resource: Resource) -> None:
    used = NOW + timedelta(seconds=1)
    nonces = [
        a_nonce(resource),
        a_nonce(resource, description=None, level=Level.NONE, roles=()),
        a_nonce(resource, description="é\0" * 5000, last_use_time=used, current_uses=4, max_uses=9, remaining_uses=5),
        limited(resource, MOST_USES),
    ]

    for nonce in nonces:
        assert stored.nonces.add(nonce)
        assert stored.nonces.get(resource, nonce.id) == nonce
    assert not stored.nonces.add(nonces[0])


def test_a_nonce_is_only_its_resources(stored: Storage, resource: Resource) -> None:
    nonce = a_nonce(resource)
    stored.nonces.add(nonce)
    others = [of_actor(), of_alias("other"), replace(resource, tenant="U"), replace(resource, kind=ResourceKind.CONFIG)]

    for other in others:
        assert stored.nonces.get(other, nonce.id) is None
        assert not stored.nonces.delete(other, nonce.id)
        assert stored.nonces.list(other) == []
        stored.nonces.delete_all(other)
    assert stored.nonces.get(resource, nonce.id) == nonce


@pytest.mark.parametrize("word", WORDS)
def test_a_word_that_is_no_nonces_id_stands_for_none(stored: Storage, resource: Resource, word: str) -> None:
    stored.nonces.add(a_nonce(resource))

    assert stored.nonces.get(resource, word) is None
    assert not stored.nonces.delete(resource, word)


def test_a_nonces_id_names_its_tenant_too(stored: Storage, resource: Resource) -> None:
    nonce = a_nonce(resource)
    stored.nonces.add(nonce)
    elsewhere = nonce.id.replace("T_", "U_")

    assert stored.nonces.get(resource, elsewhere) is None
    assert not stored.nonces.delete(resource, elsewhere)
    assert stored.nonces.get(resource, nonce.id) == nonce


def test_nonces_are_listed_oldest_first(stored: Storage, resource: Resource) -> None:
    nonces = [a_nonce(resource) for _ in range(12)]
    for nonce in nonces[::-1]:
        stored.nonces.add(nonce)

    assert stored.nonces.list(resource) == sorted(nonces, key=lambda each: ids.sort_key(each.id[2:]))


def test_nonces_are_listed_and_deleted_all_though_they_are_long(stored: Storage, resource: Resource) -> None:
    """More than the megabyte that DynamoDB answers at a time."""
    nonces = [a_nonce(resource, description="x" * 300_000) for _ in range(5)]
    for nonce in nonces:
        stored.nonces.add(nonce)

    assert len(stored.nonces.list(resource)) == 5
    stored.nonces.delete_all(resource)
    assert stored.nonces.list(resource) == []


def test_a_use_is_counted_and_dated(stored: Storage, resource: Resource) -> None:
    nonce, endless = limited(resource, 2), a_nonce(resource)
    stored.nonces.add(nonce)
    stored.nonces.add(endless)
    later = NOW + timedelta(seconds=5)

    assert stored.nonces.spend(nonce, NOW)
    assert stored.nonces.spend(endless, later)

    once = replace(nonce, current_uses=1, remaining_uses=1, last_use_time=NOW)
    assert stored.nonces.get(resource, nonce.id) == once
    assert stored.nonces.get(resource, endless.id) == replace(endless, current_uses=1, last_use_time=later)


def test_a_nonce_is_spent_so_often_and_then_stays_as_it_is(stored: Storage, resource: Resource) -> None:
    """However old the record is that whoever spends it has read.

    spec: http-api #110, http-api-more #29"""
    nonce = limited(resource, 2)
    stored.nonces.add(nonce)

    spent = [stored.nonces.spend(nonce, NOW + timedelta(seconds=second)) for second in range(4)]

    assert spent == [True, True, False, False]
    left = replace(nonce, current_uses=2, remaining_uses=0, last_use_time=NOW + timedelta(seconds=1))
    assert stored.nonces.get(resource, nonce.id) == left


@pytest.mark.parametrize("uses", [1, 3, UNLIMITED])
def test_no_two_calls_get_the_same_use(stored: Storage, resource: Resource, uses: int) -> None:
    calls = 8
    for _ in range(3):
        nonce = limited(resource, uses)
        stored.nonces.add(nonce)

        spent = in_threads(calls, lambda nonce=nonce: stored.nonces.spend(nonce, NOW))  # type: ignore[misc]

        had = calls if uses == UNLIMITED else uses
        assert sorted(map(bool, spent)) == [False] * (calls - had) + [True] * had
        found = stored.nonces.get(resource, nonce.id)
        assert found is not None
        assert (found.current_uses, found.remaining_uses) == (had, UNLIMITED if uses == UNLIMITED else 0)


@pytest.mark.parametrize("uses", [2, UNLIMITED])
def test_a_nonce_that_is_gone_is_not_spent_and_does_not_come_back(
    stored: Storage, resource: Resource, uses: int
) -> None:
    nonce = limited(resource, uses)
    stored.nonces.add(nonce)

    assert stored.nonces.delete(resource, nonce.id)
    assert not stored.nonces.delete(resource, nonce.id)
    assert not stored.nonces.spend(nonce, NOW)
    assert stored.nonces.get(resource, nonce.id) is None
    assert stored.nonces.list(resource) == []


def test_a_nonce_over_the_stores_limit_is_refused_in_words(stored: Storage, resource: Resource) -> None:
    with pytest.raises(Malformed, match="400 KB"):
        stored.nonces.add(a_nonce(resource, description="x" * 500_000))


def test_nonces_of_an_actor_go_with_it(stored: Storage) -> None:
    actor = Actor(ActorKey("T", ids.new_id()), "owner", "http://t", "image", NOW, NOW)
    stored.actors.add(actor)
    nonce = a_nonce(actor.resource)
    stored.nonces.add(nonce)

    stored.actors.delete(actor.key)

    assert stored.nonces.list(actor.resource) == []
    assert stored.permissions.list(actor.resource) == []


RESOURCES = [of_actor(), of_alias(), Resource(ResourceKind.CONFIG, "T", "settings")]


@pytest.fixture(params=RESOURCES, ids=[each.kind for each in RESOURCES])
def mapped(request: pytest.FixtureRequest) -> Resource:
    """What permissions hang on."""
    found: Resource = request.param
    return found


def test_a_map_keeps_the_order_in_which_its_users_came(stored: Storage, mapped: Resource) -> None:
    for user, level in (("zoe", Level.READ), ("amy", Level.UPDATE), (WORLD, Level.NONE), ("x.y", Level.EXECUTE)):
        stored.permissions.set(mapped, user, level)
    stored.permissions.set(mapped, "zoe", Level.NONE)

    shown = as_map(stored.permissions.list(mapped))
    assert list(shown.items()) == [("zoe", "NONE"), ("amy", "UPDATE"), (WORLD, "NONE"), ("x.y", "EXECUTE")]


def test_what_bears_on_a_user_is_his_own_entry_and_the_worlds(stored: Storage, mapped: Resource) -> None:
    for user, level in (("jane", Level.READ), ("amy", Level.UPDATE)):
        stored.permissions.set(mapped, user, level)
    assert stored.permissions.bearing_on(mapped, "zoe") == []
    assert [(e.user, e.level) for e in stored.permissions.bearing_on(mapped, "jane")] == [("jane", Level.READ)]

    stored.permissions.set(mapped, WORLD, Level.NONE)

    assert [(e.user, e.level) for e in stored.permissions.bearing_on(mapped, "zoe")] == [(WORLD, Level.NONE)]
    assert {e.user for e in stored.permissions.bearing_on(mapped, "jane")} == {"jane", WORLD}
    assert [e.user for e in stored.permissions.bearing_on(mapped, WORLD)] == [WORLD]


def test_resources_of_one_name_have_maps_of_their_own(stored: Storage, mapped: Resource) -> None:
    stored.permissions.set(mapped, "jane", Level.UPDATE)

    others = [replace(mapped, kind=kind) for kind in ResourceKind if kind is not mapped.kind]
    for other in [*others, replace(mapped, tenant="U")]:
        assert stored.permissions.list(other) == []
        assert stored.permissions.bearing_on(other, "jane") == []
        stored.permissions.delete_all(other)
    assert as_map(stored.permissions.list(mapped)) == {"jane": "UPDATE"}


def test_a_forgotten_map_is_empty_and_begins_anew(stored: Storage, mapped: Resource) -> None:
    for user in ("zoe", "amy"):
        stored.permissions.set(mapped, user, Level.UPDATE)

    stored.permissions.delete_all(mapped)
    stored.permissions.delete_all(mapped)

    assert stored.permissions.list(mapped) == []
    assert stored.permissions.bearing_on(mapped, "zoe") == []
    stored.permissions.set(mapped, "amy", Level.READ)
    stored.permissions.set(mapped, "zoe", Level.READ)
    assert list(as_map(stored.permissions.list(mapped))) == ["amy", "zoe"]


def test_entries_set_at_once_are_all_there(stored: Storage, mapped: Resource) -> None:
    users = [f"user{number}" for number in range(8)]
    left = iter(users)

    in_threads(8, lambda: stored.permissions.set(mapped, next(left), Level.READ))

    assert as_map(stored.permissions.list(mapped)).keys() == set(users)


def test_a_permission_on_an_actor_puts_it_in_the_users_list_until_it_is_taken_back(stored: Storage) -> None:
    actor = Actor(ActorKey("T", ids.new_id()), "owner", "http://t", "image", NOW, NOW)
    stored.actors.add(actor)

    stored.permissions.set(actor.resource, "jane", Level.READ)
    stored.permissions.set(of_alias(actor.id), "amy", Level.UPDATE)

    assert [(found.id, [e.level for e in entries]) for found, entries in stored.actors.visible_to("T", "jane")] == [
        (actor.id, [Level.READ])
    ]
    assert stored.actors.visible_to("T", "amy") == []
    stored.permissions.delete_all(actor.resource)
    assert stored.actors.visible_to("T", "jane") == []
