from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest
from docker import APIClient

from abacito.abaco.time import real_monotonic
from abacito.containers.daemon import connect
from abacito.containers.namespaces import Namespaces

pytestmark = pytest.mark.docker


@pytest.fixture
def client() -> Iterator[APIClient]:
    client = connect()
    yield client
    client.close()


@pytest.fixture
def namespaces(client: APIClient) -> Iterator[Namespaces]:
    label = f"t-{secrets.token_hex(4)}"
    made = Namespaces(client, {"abacito.emulator": label}, {}, limit=2)
    yield made
    made.close()
    for found in client.containers(all=True, filters={"label": f"abacito.emulator={label}"}):
        client.remove_container(found["Id"], force=True)


def borrowed(namespaces: Namespaces) -> str:
    """One that is free, once it is made."""
    deadline = real_monotonic() + 30
    while (found := namespaces.borrow()) is None:
        assert real_monotonic() < deadline
    return found


def test_nobody_waits_for_a_namespace_to_be_made(namespaces: Namespaces) -> None:
    assert namespaces.borrow() is None


def test_a_namespace_is_lent_to_one_at_a_time_and_no_more_are_made_than_the_limit(namespaces: Namespaces) -> None:
    first, second = borrowed(namespaces), borrowed(namespaces)

    assert first != second
    assert namespaces.borrow() is None
    namespaces.give_back(first)
    assert namespaces.borrow() == first
    assert namespaces.borrow() is None


def test_one_that_was_removed_is_not_lent_again(namespaces: Namespaces, client: APIClient) -> None:
    first = borrowed(namespaces)
    client.remove_container(first, force=True)

    namespaces.give_back(first)

    assert borrowed(namespaces) != first


def test_none_are_made_where_the_limit_is_zero(client: APIClient) -> None:
    nothing = Namespaces(client, {"abacito.emulator": "t"}, {}, limit=0)

    assert nothing.borrow() is None
    nothing.close()
    assert nothing.borrow() is None
