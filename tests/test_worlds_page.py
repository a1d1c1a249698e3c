"""docs/worlds.md's lines for the shell do what they say."""

from __future__ import annotations

from pathlib import Path

from tests import pages


def test_the_lines_for_a_server_run_and_what_was_left_is_loaded(tmp_path: Path) -> None:
    (seed,) = pages.blocks("worlds.md", "yaml")
    (tmp_path / "seed.yaml").write_text(seed.text)

    written = pages.follow(pages.blocks("worlds.md", "sh"), tmp_path, ABACITO_RUNNER="process")

    assert "world.abacito\n" in written
    assert '"name": "counter"' in written.rpartition("Actors retrieved successfully")[2]
