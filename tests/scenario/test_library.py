"""The stories of this repository, by processes and in both cases; pytest collects them too (see pyproject.toml)."""

from __future__ import annotations

import re
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Literal

import pytest

from abacito.emulator import Emulator
from abacito.scenario import GAPS_FILE
from abacito.scenario.ask import Target
from abacito.scenario.play import play
from abacito.scenario.story import Story, load
from abacito.scenario.users import settings_for
from abacito.settings import Settings

Case = Literal["camel", "snake"]

SCENARIOS = Path(__file__).parents[2] / "scenarios"
STORIES = sorted(path for path in SCENARIOS.rglob("*.yaml") if path.name != GAPS_FILE)
SPEC = re.compile(r"^# spec: (\S+) (#\d+(?:, #\d+)*)$", re.MULTILINE)
#: The checklists that stories name, with the number of lines that each has.
CHECKLISTS = {"http-api": 128, "http-api-more": 118, "execution": 118, "clients": 62}
#: The chapters of those checklists that can be told over HTTP, by the first and last line of each.
CHAPTERS = {
    "http-api": {
        "envelope and routing": (1, 28),
        "actors": (29, 68),
        "messages": (69, 85),
        "executions, logs, results": (86, 103),
        "state": (104, 108),
        "nonces": (109, 118),
        "workers and permissions": (119, 128),
    },
    "http-api-more": {
        "aliases": (1, 32),
        "permissions": (33, 46),
        "configs": (47, 63),
        "search and lists": (64, 82),
        "admin, utilization": (83, 87),
        "cron": (88, 97),
        "links, events": (98, 103),
        "log_ex": (104, 106),
        "tenants, HTTP": (107, 118),
    },
    "execution": {
        "environment": (1, 30),
        "binary and results": (31, 46),
        "container": (47, 53),
        "life cycle": (54, 67),
        "logs": (68, 76),
        "serial and parallel": (77, 86),
        "tokens": (87, 91),
        "halting": (92, 97),
        "failures": (98, 104),
        "state": (105, 108),
        "events, cron, sync": (109, 118),
    },
}


def named(path: Path) -> dict[str, set[int]]:
    """The checklist lines that the story's comments name."""
    found: dict[str, set[int]] = {}
    for checklist, numbers in SPEC.findall(path.read_text()):
        found.setdefault(checklist, set()).update(int(number) for number in re.findall(r"\d+", numbers))
    return found


def in_library(path: Path) -> str:
    return str(path.relative_to(SCENARIOS))


def settings_of(path: Path, case: Case) -> Settings:
    """With the users that the story needs."""
    return settings_for(load(path), Settings.read(port=0, runner="process", case=case))


class Emulators:
    """One for each settings, started when the first story needs it."""

    def __init__(self, running: ExitStack) -> None:
        self._running = running
        self._found: list[Emulator] = []

    def having(self, settings: Settings) -> Emulator:
        for emulator in self._found:
            if emulator.settings == settings:
                return emulator
        self._found.append(self._running.enter_context(Emulator(settings)))
        return self._found[-1]


@pytest.fixture(scope="session")
def emulators() -> Iterator[Emulators]:
    with ExitStack() as running:
        yield Emulators(running)


@pytest.fixture
def emulator(emulators: Emulators, path: Path, case: Case) -> Iterator[Emulator]:
    """Empty, whatever the story before has left. What is at an endpoint cannot be emptied: there it is a new one."""
    settings = settings_of(path, case)
    with ExitStack() as this_story:
        if settings.endpoint_url:
            named = settings.model_copy(update={"emulator": f"t{secrets.token_hex(3)}"})
            emulator = this_story.enter_context(Emulator(named))
        else:
            emulator = emulators.having(settings)
            emulator.reset()
        yield emulator
        emulator.check()


@pytest.mark.parametrize("case", ["camel", "snake"])
@pytest.mark.parametrize("path", STORIES, ids=in_library)
def test_a_story_is_true_of_processes(emulator: Emulator, path: Path, case: Case) -> None:
    story = load(path)

    outcome = play(story, Target.of(emulator), lambda report: None)

    if outcome.failure:
        pytest.fail(str(outcome.failure), pytrace=False)


@pytest.mark.parametrize("path", STORIES, ids=in_library)
def test_a_story_says_what_it_is_about_and_what_it_checks(path: Path) -> None:
    lines = named(path)

    assert load(path).tags
    assert lines, "no `# spec: FILE #N, #M`"
    assert all(0 < number <= CHECKLISTS[checklist] for checklist in lines for number in lines[checklist])


def test_no_two_stories_have_the_same_title() -> None:
    stories: list[Story] = [load(path) for path in STORIES]

    assert len(STORIES) >= 40
    assert len({story.title for story in stories}) == len(stories)


@pytest.mark.parametrize(
    ("checklist", "chapter"), [(checklist, chapter) for checklist in CHAPTERS for chapter in CHAPTERS[checklist]]
)
def test_each_chapter_is_told_by_a_story(checklist: str, chapter: str) -> None:
    first, last = CHAPTERS[checklist][chapter]

    told = {number for path in STORIES for number in named(path).get(checklist, set())}

    assert told & set(range(first, last + 1))


def test_the_readme_says_what_each_folder_tells() -> None:
    table = re.findall(r"^\| ((?:`\S+` ?)+) \|", (SCENARIOS / "README.md").read_text(), re.MULTILINE)
    folders = {path.parent.name for path in STORIES if path.parent != SCENARIOS}

    assert folders == {name.rstrip("/") for row in table for name in re.findall(r"`(\w+/)`", row)}


def test_the_examples_of_the_readme_are_true(pytester: pytest.Pytester) -> None:
    examples = re.findall(r"^```yaml\n(.*?)^```", (SCENARIOS / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    folder = pytester.mkdir("stories")
    for number, example in enumerate(examples):
        folder.joinpath(f"example_{number}.yaml").write_text(example)
    pytester.makeini("[pytest]\nabacito_scenarios = stories\n")

    pytester.runpytest_subprocess("stories", "--abacito-runner=process").assert_outcomes(passed=len(examples))

    assert len(examples) >= 2


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl on this machine, which the example uses")
def test_the_readme_records_what_it_shows(tmp_path: Path) -> None:
    page = (SCENARIOS / "README.md").read_text()
    (script,) = re.findall(r"^```bash\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    shown = re.findall(r"`greeting.yaml` then:\n\n```yaml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)

    command = [sys.executable, "-m", "abacito", "exec", "--runner", "process", "--", "bash", "-e", "-c", script]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)

    assert result.returncode == 0, result.stdout + result.stderr
    assert [(tmp_path / "greeting.yaml").read_text()] == shown
    assert "1 of 1 stories passed" in result.stderr


def test_pytest_collects_every_story(pytester: pytest.Pytester) -> None:
    pytester.makeini(f"[pytest]\nabacito_scenarios = {SCENARIOS}\n")

    result = pytester.runpytest_subprocess(SCENARIOS, "--rootdir=.", "--collect-only", "-q")

    result.stdout.fnmatch_lines([f"{len(STORIES)} tests collected*"])


def test_a_story_that_fails_tells_where_and_what(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nabacito_scenarios = stories\n")
    pytester.mkdir("stories").joinpath("wrong.yaml").write_text(
        "title: wrong\nsteps:\n  - get: /actors/v2\n    expect: {message: Nothing of the kind.}\n"
    )

    result = pytester.runpytest_subprocess("stories", "--abacito-runner=process")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*wrong.yaml:3: step 1: GET /actors/v2*", "*wanted message:*Nothing of the kind.*"])
