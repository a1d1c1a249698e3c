"""docs/without_pytest.md does what it says, in a fresh shell."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests import pages

PAGE = pages.blocks("without_pytest.md", "python", "sh", "text", "javascript")
NODE = [block for block in PAGE if block.language == "javascript" or "node" in block.text]


@pytest.mark.parametrize("runner", ["process", pytest.param("docker", marks=[pytest.mark.docker, pytest.mark.slow])])
def test_the_blocks_of_the_page_write_what_it_says(tmp_path: Path, runner: str) -> None:
    parts = [block for block in PAGE if block not in NODE]

    pages.check(parts, pages.follow(parts, tmp_path, ABACITO_RUNNER=runner))


def test_the_suite_for_node_passes(tmp_path: Path) -> None:
    if shutil.which("node") is None:
        pytest.skip("there is no node in PATH; nothing else of abacito needs it")

    assert "pass 1" in pages.follow(NODE, tmp_path, ABACITO_RUNNER="process")


def test_the_examples_need_no_pytest() -> None:
    assert [block.text for block in PAGE if "import pytest" in block.text] == []
