"""The pages about the clients do what they say: their blocks run, in order, in a fresh shell beside an emulator."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from abacito.emulator import Emulator
from abacito.settings import Settings
from tests import pages
from tests.clients.conftest import PINS, Shell

PAGES = {
    "curl": "clients_curl.md",
    "agavepy": "clients_agavepy.md",
    "tapispy": "clients_tapispy.md",
    "tapis-cli": "clients_tapis_cli.md",
    "tapipy": "clients_tapipy.md",
}


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    """One as users have it who have set nothing."""
    with Emulator(Settings.read(port=0, runner="process")) as found:
        yield found


@pytest.mark.parametrize(
    "client",
    ["curl", "agavepy", *(pytest.param(each, marks=pytest.mark.slow) for each in ("tapispy", "tapis-cli", "tapipy"))],
)
def test_the_blocks_of_a_page_write_what_it_says(
    emulator: Emulator, shell: Shell, python_of: Callable[[str], Path], client: str
) -> None:
    """spec: clients #62"""
    emulator.reset()
    if client in PINS:
        shell = replace(shell, path=os.pathsep.join([str(python_of(client).parent), shell.path]))
    parts = pages.blocks(PAGES[client], "sh", "python", "text")

    pages.check(parts, shell.run(pages.script(parts), timeout_s=180))


@pytest.mark.parametrize("client", PINS)
def test_a_page_installs_what_is_tested(client: str) -> None:
    lines = [line for block in pages.blocks(PAGES[client], "console") for line in block.text.splitlines()]

    assert [shlex.split(line) for line in lines] == [["$", "pip", *step.split()] for step in PINS[client]]
