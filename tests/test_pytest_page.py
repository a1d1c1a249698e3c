"""What docs/pytest.md shows is run as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from abacito import pytest_plugin
from tests import pages

PAGE = (pages.DOCS / "pytest.md").read_text()


def blocks(language: str) -> list[str]:
    return [block.text for block in pages.blocks("pytest.md", language)]


def test_the_examples_of_the_page_pass(pytester: pytest.Pytester) -> None:
    for number, example in enumerate(blocks("python")):
        pytester.makepyfile(**{f"test_example_{number}": example})

    result = pytester.runpytest_subprocess("--abacito-runner=process", "-W", "error")

    result.assert_outcomes(passed=len(blocks("python")))


def test_every_fixture_and_option_is_on_the_page() -> None:
    source = Path(pytest_plugin.__file__).read_text()
    fixtures = set(re.findall(r"@pytest\.fixture.*\ndef (abacito\w*)\(", source))
    options = set(re.findall(r'"(--abacito-[a-z-]+)",$', source, re.MULTILINE))

    assert len(fixtures) >= 6
    assert len(options) >= 4
    assert [name for name in fixtures | options if f"`{name}`" not in PAGE] == []
