"""Stories as pytest collects them: one YAML file, one test, on an emulator with its users, or also on another Abaco."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

from abacito.abaco.errors import Misconfigured, Unavailable
from abacito.scenario.ask import Target
from abacito.scenario.gaps import Gaps
from abacito.scenario.parity import Theirs, compare
from abacito.scenario.play import play
from abacito.scenario.story import Story, load
from abacito.scenario.users import settings_for
from abacito.scenario.verdict import Verdict, stale_line

if TYPE_CHECKING:
    from abacito.client import Abaco
    from abacito.emulator import Emulator
    from abacito.settings import Settings


class StoryFile(pytest.Module):
    """A module that is not in Python: its one test plays the story. Raises Misconfigured when it cannot be read."""

    def _getobj(self) -> ModuleType:
        story = load(self.path)
        is_for_both = self.config.getoption("--abacito-parity") or os.environ.get("ABACITO_PARITY")
        test_story = _on_both(story) if is_for_both else _here(story)
        module = ModuleType(self.path.stem, story.title)
        module.__dict__.update(with_users=_users_of(story), test_story=test_story)  # collected by their names
        return module


def _users_of(story: Story) -> object:
    @pytest.fixture(autouse=True)
    def with_users(request: pytest.FixtureRequest, abacito_settings: Settings) -> None:
        wanted = settings_for(story, abacito_settings)
        request.applymarker(pytest.mark.abacito(users=wanted.users))

    return with_users


def _here(story: Story) -> Callable[..., None]:
    def test_story(abacito: Abaco, abacito_emulator: Emulator) -> None:
        outcome = play(story, Target.of(abacito_emulator), lambda report: None)
        if outcome.failure:
            pytest.fail(str(outcome.failure), pytrace=False)

    return test_story


def _on_both(story: Story) -> Callable[..., None]:
    def on_both_sides(_abacito_ours: Emulator, _abacito_theirs: Theirs, _abacito_known_gaps: Gaps) -> None:
        if (lacks := _abacito_theirs.lacks_for(story)) is not None:
            # What the other server cannot do says nothing on how alike they are.
            pytest.skip(f"This story {lacks}.")
        try:
            _abacito_known_gaps.look(story)
            played = compare(story, Target.of(_abacito_ours), _abacito_theirs.target)
        except (Misconfigured, Unavailable) as error:
            pytest.fail(str(error), pytrace=False)
        _tell(Verdict.of(story, played, _abacito_known_gaps))

    return on_both_sides


def _tell(verdict: Verdict) -> None:
    """A known gap is shown by ``-rP``, all others fail the test."""
    shown = "\n".join(verdict.lines())
    if not verdict.is_good:
        pytest.fail(shown, pytrace=False)
    print(shown)  # noqa: T201 - pytest has what tests print


@contextmanager
def known_gaps(file: str | None) -> Iterator[Gaps]:
    """Those of the file, or of the ones beside the stories; warns at the end of those that are none any more."""
    try:
        known = Gaps(Path(file) if file else None)
    except Misconfigured as error:
        pytest.fail(str(error), pytrace=False)
    yield known
    for gap in known.stale:
        warnings.warn(pytest.PytestWarning(f"abacito: {stale_line(gap)}"), stacklevel=2)
