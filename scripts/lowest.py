"""Writes pip constraints that hold each library of ours at the lowest version that pyproject.toml allows.

usage: python scripts/lowest.py FILE

pytest is among them, for the plugin runs in the user's; what else the tests need is not what users install.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"
BOUND = re.compile(r"(?P<name>[\w.-]+)(?:\[.*?\])?>=(?P<lowest>[\d.]+)")


def lowest() -> dict[str, str]:
    """The lowest versions allowed, by the names of the libraries. Raises ValueError for one without a bound."""
    tables = tomllib.loads(PROJECT.read_text())
    return dict(map(_bound, [*tables["project"]["dependencies"], *tables["dependency-groups"]["test"]]))


def _bound(requirement: str) -> tuple[str, str]:
    found = BOUND.match(requirement)
    if found is None:
        raise ValueError(f"{PROJECT.name}: {requirement!r} has no lower bound: write it as name>=version")
    return found["name"], found["lowest"]


if __name__ == "__main__":
    Path(sys.argv[1]).write_text("".join(f"{name}=={bound}\n" for name, bound in lowest().items()))
