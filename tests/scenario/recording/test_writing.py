from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from abacito.abaco.errors import Misconfigured
from abacito.scenario import story
from abacito.scenario.recording.exchange import Exchange
from abacito.scenario.recording.recorder import Noted, Recorder
from abacito.scenario.recording.writing import Recording

GET = Exchange("GET", "/actors/v2", {}, b"", 200, "application/json", b'{"status": "success"}', 0.0, 1.0)
CLOCK = Exchange("GET", "/_abacito/clock", {}, b"", 200, "application/json", b"{}", 0.0, 1.0)


def recording(file: Path) -> tuple[Recording, list[Noted]]:
    told: list[Noted] = []
    return Recording(file, Recorder("t", "camel"), told.append), told


def test_the_file_is_a_whole_story_after_every_step(tmp_path: Path) -> None:
    file = tmp_path / "s.yaml"
    ours, told = recording(file)

    for steps in (1, 2):
        ours.note(Exchange("GET", f"/{steps}", {}, b"", 200, "", b"", 0.0, 1.0))
        assert len(story.load(file).steps) == steps

    assert [noted.number for noted in told] == [1, 2]
    assert [path.name for path in tmp_path.iterdir()] == ["s.yaml"]
    assert ours.close() == 2


def test_nothing_recorded_is_no_file(tmp_path: Path) -> None:
    ours, told = recording(tmp_path / "s.yaml")

    ours.note(CLOCK)

    assert told[0].why_not
    assert ours.close() == 0
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_there_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "s.yaml"
    file.write_text("mine")

    with pytest.raises(Misconfigured, match="is there already: name another file, or remove it"):
        recording(file)
    assert file.read_text() == "mine"


def test_a_folder_that_is_not_there_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="is no folder that we may write to"):
        recording(tmp_path / "none" / "s.yaml")


def test_a_file_that_cannot_be_written_is_told_at_the_end(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    ours, told = recording(folder / "s.yaml")
    folder.rmdir()

    ours.note(GET)

    assert told[0].number == 1
    with pytest.raises(Misconfigured, match=r"s\.yaml cannot be written"):
        ours.close()


def test_several_clients_at_once_lose_no_step(tmp_path: Path) -> None:
    ours, _ = recording(tmp_path / "s.yaml")

    def client(name: int) -> None:
        for number in range(10):
            ours.note(Exchange("GET", f"/{name}/{number}", {}, b"", 200, "", b"", 0.0, 1.0))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(client, range(8)))

    assert len({step.path for step in story.load(tmp_path / "s.yaml").steps}) == 80
