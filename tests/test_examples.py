"""What the pages on stubs, time, faults and worlds show is run as it stands there."""

from __future__ import annotations

import re

import pytest

from tests import pages

#: Each page, with what its examples show at least.
PAGES = {
    "stubs.md": (
        "context.message",
        "context.state",
        "send_result(",
        "context.exit(",
        "async def",
        "stopping",
        ".stub(",
    ),
    "time.md": ("travel(", "freeze(", "freeze_time", "time_machine", "abacito_clock"),
    "worlds.md": (".snapshot()", ".restore(", ".pause()", ".resume()", ".save(", "actors:"),
    "faults.md": ("abacito_faults.answers(", "out_of_memory(", "start_fails(", "probability=", "fault: {kind"),
}


def examples(page: str, language: str) -> list[str]:
    return [block.text for block in pages.blocks(page, language)]


@pytest.mark.parametrize("page", PAGES)
def test_the_examples_of_a_page_pass(pytester: pytest.Pytester, page: str) -> None:
    tests, stories = examples(page, "python"), examples(page, "yaml")
    for number, example in enumerate(tests):
        pytester.makepyfile(**{f"test_example_{number}": example})
    folder = pytester.mkdir("stories")
    for number, example in enumerate(stories):
        folder.joinpath(f"example_{number}.yaml").write_text(example)
    pytester.makeini("[pytest]\nabacito_scenarios = stories\n")

    result = pytester.runpytest_subprocess("--abacito-runner=process")

    written = re.findall(r"^def test_", "\n".join(tests), re.MULTILINE)
    outcomes = result.parseoutcomes()
    assert set(outcomes) == {"passed"}
    assert outcomes["passed"] >= len(written) + len(stories)  # one that is parametrized is several


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_an_example_for_each_way(page: str) -> None:
    shown = "".join(examples(page, "python") + examples(page, "yaml"))

    assert all(word in shown for word in PAGES[page])
