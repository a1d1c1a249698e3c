"""Writes the table of docs/clients.md: every step with every client, and the test that holds it.

The cells come from the tests' own ``walks`` markers; ``CANNOT`` below says what a client cannot do, and why. What
neither has is shown as not tried.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "clients.md"
TESTS = ROOT / "tests" / "clients"

BEGIN = "<!-- begin: made by scripts/clients.py -->"
END = "<!-- end: made by scripts/clients.py -->"
NOT_TRIED = "not tried"

CLIENTS = ("curl", "agavepy", "tapispy", "tapis-cli", "tapipy")
STEPS = (
    "log in",
    "register",
    "list",
    "get",
    "send raw",
    "send JSON",
    "send binary",
    "wait",
    "details",
    "logs",
    "results",
    "state",
    "nonces",
    "permissions",
    "aliases",
    "configs",
    "update",
    "delete",
    "expired token",
    "refresh",
    "executors",
    "async responses",
    "actor-side context",
)

_NO_OPERATION = "no such operation in the client"
_NO_COMMAND = "no such command"
_NO_PYTHON = "no Python library"
_NO_EXECUTOR = "the client's own executor calls operations that the client lacks"

#: What no server can help, and why; tests hold the lack where it shows in the client.
CANNOT: Mapping[tuple[str, str], str] = {
    ("curl", "executors"): _NO_PYTHON,
    ("curl", "async responses"): _NO_PYTHON,
    ("curl", "actor-side context"): _NO_PYTHON,
    ("agavepy", "configs"): _NO_OPERATION,
    ("tapispy", "configs"): _NO_OPERATION,
    ("tapis-cli", "send JSON"): "every message is sent as text",
    ("tapis-cli", "send binary"): "a message is opened as a text file",
    ("tapis-cli", "results"): _NO_COMMAND,
    ("tapis-cli", "state"): _NO_COMMAND,
    ("tapis-cli", "configs"): _NO_COMMAND,
    ("tapis-cli", "executors"): _NO_PYTHON,
    ("tapis-cli", "async responses"): _NO_PYTHON,
    ("tapis-cli", "actor-side context"): _NO_PYTHON,
    ("tapipy", "configs"): _NO_OPERATION,
    ("tapipy", "executors"): _NO_EXECUTOR,
    ("tapipy", "async responses"): _NO_EXECUTOR,
}


def walked() -> dict[tuple[str, str], list[tuple[str, str]]]:
    """Client and step, and the tests that claim it: file and name. Raises SystemExit for what there is not."""
    found: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for file in sorted(TESTS.glob("test_*.py")):
        for test, clients, steps in _claims(ast.parse(file.read_text())):
            for cell in ((client, step) for client in clients for step in steps):
                if cell[0] not in CLIENTS or cell[1] not in STEPS or cell in CANNOT:
                    sys.exit(f"{file.name}: {test} claims {cell}, which is no cell of the table, or cannot be done")
                found.setdefault(cell, []).append((file.name, test))
    return found


def _claims(tree: ast.Module) -> Iterator[tuple[str, list[str], list[str]]]:
    """Name, clients and steps of each test with ``@pytest.mark.walks(client, …, steps=[…])``."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            for mark in node.decorator_list:
                if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.walks":
                    (steps,) = (ast.literal_eval(given.value) for given in mark.keywords)
                    yield node.name, [ast.literal_eval(given) for given in mark.args], steps


def not_tried() -> set[tuple[str, str]]:
    """The cells that neither a test nor a reason fills."""
    tests = walked()
    return {(client, step) for client in CLIENTS for step in STEPS} - tests.keys() - CANNOT.keys()


def table() -> str:
    """The table, with its markers."""
    tests = walked()
    files = sorted({file for claims in tests.values() for file, _ in claims})
    numbers = {file: number for number, file in enumerate(files, 1)}
    lines = ["| step | " + " | ".join(CLIENTS) + " |", "|---" * (len(CLIENTS) + 1) + "|"]
    for step in STEPS:
        cells = (_cell(tests.get((client, step), []), CANNOT.get((client, step)), numbers) for client in CLIENTS)
        lines.append(f"| {step} | " + " | ".join(cells) + " |")
    legend = ", ".join(f"{number}: `{file}`" for file, number in numbers.items())
    return "\n".join([BEGIN, "", *lines, "", f"In `tests/clients/`, {legend}.", "", END])


def _cell(tests: list[tuple[str, str]], reason: str | None, numbers: Mapping[str, int]) -> str:
    if tests:
        return "<br>".join(f"`{name}` ({numbers[file]})" for file, name in tests)
    return f"cannot: {reason}" if reason else NOT_TRIED


def page(text: str) -> str:
    """This document with the table as it is now. Raises ValueError when the markers are not there."""
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    return before + table() + after


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
