"""The pages about the clients do what they say: their blocks run, in order, in a fresh shell beside an emulator."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from abacito.emulator import Emulator
from abacito.settings import Settings
from tests.clients.conftest import PINS, Shell

DOCS = Path(__file__).resolve().parents[2] / "docs"
BLOCK = re.compile(r"^```(sh|python|text|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
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


def blocks(client: str, *kinds: str) -> list[tuple[str, str]]:
    found = BLOCK.findall((DOCS / PAGES[client]).read_text())
    return [(kind, text) for kind, text in found if kind in kinds]


def script(parts: list[tuple[str, str]]) -> str:
    """All of a page as one script; a NUL ends what each block writes."""
    lines = []
    for kind, text in parts:
        if kind == "python":
            text = f"python - <<'PROGRAM'\n{text}PROGRAM\n"
        if kind != "text":
            lines += [text, "printf '\\0'\n"]
    return "".join(lines)


def expected(parts: list[tuple[str, str]]) -> list[str | None]:
    """What the page says that each block writes; None where it says nothing."""
    found: list[str | None] = []
    for kind, text in parts:
        if kind == "text":
            found[-1] = text
        else:
            found.append(None)
    return found


def is_as_said(said: str, written: str) -> bool:
    """``…`` stands for anything, over lines too; blanks at the ends of lines do not count."""
    said, written = ("\n".join(line.rstrip() for line in text.strip().splitlines()) for text in (said, written))
    pattern = ".*".join(re.escape(part) for part in said.split("…"))
    return re.fullmatch(pattern, written, re.DOTALL) is not None


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
    parts = blocks(client, "sh", "python", "text")

    written = shell.run(script(parts), timeout_s=180).split("\0")[:-1]

    said = expected(parts)
    assert len(written) == len(said)
    for wanted, found in zip(said, written, strict=True):
        if wanted is not None:
            assert is_as_said(wanted, found), f"the page says:\n{wanted}\nand there is:\n{found}"


@pytest.mark.parametrize("client", PINS)
def test_a_page_installs_what_is_tested(client: str) -> None:
    lines = [line for _, text in blocks(client, "console") for line in text.splitlines()]

    assert [shlex.split(line) for line in lines] == [["$", "pip", *step.split()] for step in PINS[client]]
