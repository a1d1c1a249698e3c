"""Documents that are made from the code are up to date."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def endpoints() -> ModuleType:
    spec = importlib.util.spec_from_file_location("endpoints", ROOT / "scripts" / "endpoints.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_table_of_endpoints_is_the_one_that_the_code_gives(endpoints: ModuleType) -> None:
    assert (ROOT / "docs" / "endpoints.md").read_text() == endpoints.page(), "run python scripts/endpoints.py"


def test_every_endpoint_is_asked_by_some_test_of_its_own(endpoints: ModuleType) -> None:
    assert set(endpoints.served()) - set(endpoints.asked()) == set()
