"""The daemon's own word of a container's end."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator

import pytest
from docker import APIClient

from abacito.containers.deaths import Deaths


@pytest.fixture
def deaths(docker_daemon: None) -> Iterator[Deaths]:
    deaths = Deaths()
    yield deaths
    deaths.close()


@pytest.mark.docker
def test_the_end_of_a_container_is_told_by_its_name(client: APIClient, deaths: Deaths) -> None:
    name = f"test-deaths-{secrets.token_hex(4)}"
    id = client.create_container("busybox", ["true"], name=name)["Id"]
    before = time.time()
    try:
        client.start(id)
        client.wait(id)

        assert before <= deaths.time_of(name, within_s=10) <= time.time()
    finally:
        client.remove_container(id, force=True)


@pytest.mark.docker
def test_an_end_that_is_not_told_is_waited_for_so_long_only(deaths: Deaths) -> None:
    with pytest.raises(TimeoutError, match="nobodys"):
        deaths.time_of("nobodys", within_s=0.05)
