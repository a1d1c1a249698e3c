"""The stories of this repository, without Docker; with it pytest collects them by itself (see pyproject.toml)."""

from __future__ import annotations

from pathlib import Path

import pytest

SCENARIOS = Path(__file__).parents[2] / "scenarios"


@pytest.mark.parametrize("case", ["camel", "snake"])
def test_every_story_is_told_by_processes_too(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    monkeypatch.setenv("ABACITO_CASE", case)
    stories = len(list(SCENARIOS.rglob("*.yaml")))
    pytester.makeini(f"[pytest]\nabacito_scenarios = {SCENARIOS}\n")

    result = pytester.runpytest_subprocess(SCENARIOS, "--rootdir=.", "--abacito-runner=process")

    result.assert_outcomes(passed=stories)


def test_a_story_that_fails_tells_where_and_what(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nabacito_scenarios = stories\n")
    pytester.mkdir("stories").joinpath("wrong.yaml").write_text(
        "title: wrong\nsteps:\n  - get: /actors/v2\n    expect: {message: Nothing of the kind.}\n"
    )

    result = pytester.runpytest_subprocess("stories", "--abacito-runner=process")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*wrong.yaml:3: step 1: GET /actors/v2*", "*wanted message:*Nothing of the kind.*"])
