"""Containers are found by their emulator's label, so that what it leaves can be named."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from secrets import token_hex

import pytest

from abacito.containers.leftovers import containers_of

pytestmark = pytest.mark.docker


@pytest.fixture
def namespace() -> Iterator[str]:
    name = f"left-{token_hex(4)}"
    yield name
    subprocess.run(["docker", "rm", "-f", name], check=True, capture_output=True)


def test_a_container_with_the_label_is_named_whatever_its_state(namespace: str) -> None:
    image = subprocess.run(
        ["docker", "images", "-q"], capture_output=True, text=True, check=True
    ).stdout.split()[0]  # fmt: skip
    command = ["docker", "create", "--name", namespace, "--label", f"abacito.emulator={namespace}", image, "true"]

    before = containers_of(namespace)
    subprocess.run(command, check=True, capture_output=True)

    assert (before, containers_of(namespace)) == ([], [namespace])
