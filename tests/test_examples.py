"""What the pages on time and on faults show is run as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parent.parent / "docs"
#: Each page, with what its examples show at least.
PAGES = {
    "time.md": ("travel(", "freeze(", "freeze_time", "time_machine", "abacito_clock"),
    "faults.md": ("abacito_faults.answers(", "out_of_memory(", "start_fails(", "probability=", "fault: {kind"),
}


def examples(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", (DOCS / page).read_text(), re.MULTILINE | re.DOTALL)


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
    result.assert_outcomes(passed=len(written) + len(stories))


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_an_example_for_each_way(page: str) -> None:
    shown = "".join(examples(page, "python") + examples(page, "yaml"))

    assert all(word in shown for word in PAGES[page])
