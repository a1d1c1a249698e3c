"""Documents that are made from the code are up to date."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

import pytest

import abacito
from tests.scripts import ROOT, script


def test_the_reference_is_what_the_docstrings_say() -> None:
    assert (ROOT / "docs" / "reference.md").read_text() == script("reference").page(), "run python scripts/reference.py"


def test_the_reference_has_a_section_for_every_public_name() -> None:
    headings = re.findall(r"^##+ `?(\w+)`?$", script("reference").page(), re.MULTILINE)

    assert [name for name in abacito.__all__ if name not in headings] == []


@pytest.fixture(scope="module")
def endpoints() -> ModuleType:
    return script("endpoints")


def test_the_table_of_endpoints_is_the_one_that_the_code_gives(endpoints: ModuleType) -> None:
    assert (ROOT / "docs" / "endpoints.md").read_text() == endpoints.page(), "run python scripts/endpoints.py"


def test_every_endpoint_is_asked_by_some_test_of_its_own(endpoints: ModuleType) -> None:
    assert set(endpoints.served()) - set(endpoints.asked()) == set()


PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_link_leads_to_a_file_and_to_a_heading_there(page: Path) -> None:
    links = re.findall(r"\]\((?!\w+:)([^)#\s]*)(?:#([^)\s]+))?\)", page.read_text())

    assert [(place, heading) for place, heading in links if not leads_somewhere(page, place, heading)] == []


def leads_somewhere(page: Path, place: str, heading: str) -> bool:
    there = page.parent / place if place else page
    return there.exists() and (not heading or heading in headings(there))


def headings(page: Path) -> set[str]:
    """As links name them."""
    lines = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", line.lower()).replace(" ", "-") for line in lines}
