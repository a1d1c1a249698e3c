"""docs/tutorial.md is followed to the letter, in an empty folder: each file, each command, what each writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import pages

# A free port, and a tox that fetches nothing from the network.
OFFLINE = "testenv.deps=;testenv.allowlist_externals=pytest;testenv.pass_env=PYTHONPATH"


@pytest.mark.parametrize("runner", ["process", pytest.param("docker", marks=[pytest.mark.docker, pytest.mark.slow])])
def test_who_follows_the_tutorial_sees_what_it_says(tmp_path: Path, runner: str) -> None:
    parts = pages.blocks("tutorial.md", "sh", "text", "python", "dockerfile", "ini")

    written = pages.follow(parts, tmp_path, ABACITO_RUNNER=runner, ABACITO_PORT="0", TOX_OVERRIDE=OFFLINE)

    pages.check(parts, written)
