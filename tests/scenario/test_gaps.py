"""Files of known differences: how they are read, and what they explain."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.scenario.test_library import SCENARIOS, STORIES

from abacito.abaco.errors import Misconfigured
from abacito.scenario import GAPS_FILE
from abacito.scenario.gaps import Gap, Gaps, load
from abacito.scenario.parity import Divergence
from abacito.scenario.story import Story, read
from abacito.scenario.story import load as load_story

STORY = "title: t\nsteps:\n  - get: /x\n"


def a_story(file: str = "scenarios/nonces/levels.yaml") -> Story:
    return read(STORY, file)


def a_difference(**changes: object) -> Divergence:
    return Divergence(
        **{
            "file": "f",
            "line": 3,
            "number": 1,
            "request": "GET /actors/v2/<actor 1>",
            "path": "result.owner",
            "ours": '"<user 1>"',
            "theirs": "null",
            **changes,
        }  # type: ignore[arg-type]
    )


def written(folder: Path, *gaps: str) -> Path:
    file = folder / "parity-gaps.yaml"
    file.write_text("gaps:\n" + "".join(f"  - {gap}\n" for gap in gaps))
    return file


@pytest.mark.parametrize(
    ("gap", "is_explained"),
    [
        ("{path: result.owner, reason: r}", True),
        ("{path: result.*, reason: r}", True),
        ("{path: result, reason: r}", False),
        ("{path: result.owner, story: nonces/*.yaml, reason: r}", True),
        ("{path: result.owner, story: levels.yaml, reason: r}", True),
        ("{path: result.owner, story: evels.yaml, reason: r}", False),
        ("{path: result.owner, step: 1, reason: r}", True),
        ("{path: result.owner, step: 2, reason: r}", False),
        ("{path: result.owner, step: GET /actors/*, reason: r}", True),
        ("{path: result.owner, step: PUT *, reason: r}", False),
        ("{path: result.owner, ours: '\"<user*', theirs: 'null', reason: r}", True),
        ("{path: result.owner, theirs: '[]', reason: r}", False),
    ],
)
def test_a_gap_explains_what_fits_all_that_it_says(tmp_path: Path, gap: str, is_explained: bool) -> None:
    (read_one,) = load(written(tmp_path, gap))

    assert read_one.explains(a_story(), a_difference()) == is_explained


def test_a_gap_knows_its_place(tmp_path: Path) -> None:
    file = written(tmp_path, "{path: a, reason: r}", "{path: b, reason: r}")

    assert [gap.place for gap in load(file)] == [f"{file}:2", f"{file}:3"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("gaps:\n  - {path: a, resaon: r}", "2:15: unknown key 'resaon': did you mean 'reason'?"),
        ("gapz: []", "1:1: unknown key 'gapz': did you mean 'gaps'?"),
        ("gaps:\n  - {path: a}", "2:5: 'reason' is missing"),
        ("gaps:\n  - {path: a, reason: ''}", "2:15: 'reason' String should have at least 1 character"),
        ("gaps:\n  - {reason: r}", "2:5: 'path' is missing"),
        ("[]", "1:1: a file of known gaps is a mapping with the keys gaps"),
        ("gaps: [", "not YAML: "),
    ],
)
def test_a_file_that_is_none_is_refused_with_its_place(tmp_path: Path, text: str, sentence: str) -> None:
    file = tmp_path / "gaps.yaml"
    file.write_text(text)

    with pytest.raises(Misconfigured) as refused:
        load(file)

    assert str(refused.value).startswith(f"{file}:")
    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="cannot be read as known gaps"):
        load(tmp_path)


def test_the_gaps_of_this_library_speak_of_its_stories() -> None:
    stories = [load_story(path) for path in STORIES]

    for gap in load(SCENARIOS / GAPS_FILE):
        assert any(gap.is_about(story) for story in stories), gap.place


def test_differences_are_sorted_into_known_ones_and_others(tmp_path: Path) -> None:
    gaps = Gaps(written(tmp_path, "{path: result.owner, reason: r}", "{path: result.*, reason: later ones too}"))
    owner, message = a_difference(), a_difference(path="message")

    found = gaps.sort(a_story(), [owner, message], is_whole=True)

    assert found.unlisted == (message,)
    assert [(gap.reason, each) for gap, each in found.known] == [("r", owner)]


def test_a_gap_that_was_not_seen_is_stale_once_its_story_was_played_to_its_end(tmp_path: Path) -> None:
    gaps = Gaps(written(tmp_path, "{path: a, story: levels.yaml, reason: r}", "{path: a, story: x.yaml, reason: r}"))

    gaps.sort(a_story(), [], is_whole=False)
    before = [*gaps.stale]
    gaps.sort(a_story(), [], is_whole=True)

    assert before == []
    assert [gap.story for gap in gaps.stale] == ["levels.yaml"]


def test_the_nearest_file_beside_or_above_a_story_is_found(tmp_path: Path) -> None:
    below = tmp_path / "stories" / "nonces"
    below.mkdir(parents=True)
    written(tmp_path, "{path: far, reason: r}")
    written(tmp_path / "stories", "{path: near, reason: r}")

    def found(gaps: Gaps, story: Path) -> list[Gap]:
        gaps.look(a_story(str(story)))
        gaps.look(a_story(str(story)))
        gaps.sort(a_story(str(story)), [], is_whole=True)
        return gaps.stale

    assert [gap.path for gap in found(Gaps(), below / "levels.yaml")] == ["near"]
    named = Gaps(written(below, "{path: named, reason: r}"))
    assert [gap.path for gap in found(named, tmp_path / "levels.yaml")] == ["named"]
