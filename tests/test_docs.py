"""Documents that are made from the code are up to date."""

from __future__ import annotations

from types import ModuleType

import pytest

from tests.scripts import ROOT, script


@pytest.fixture(scope="module")
def endpoints() -> ModuleType:
    return script("endpoints")


def test_the_table_of_endpoints_is_the_one_that_the_code_gives(endpoints: ModuleType) -> None:
    assert (ROOT / "docs" / "endpoints.md").read_text() == endpoints.page(), "run python scripts/endpoints.py"


def test_every_endpoint_is_asked_by_some_test_of_its_own(endpoints: ModuleType) -> None:
    assert set(endpoints.served()) - set(endpoints.asked()) == set()
