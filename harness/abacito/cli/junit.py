"""What came of stories, as JUnit XML: the form that continuous integration shows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

if TYPE_CHECKING:
    from abacito.scenario.play import Failure, Outcome
    from abacito.scenario.story import Story

_NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, 2.2: all other signs


def write(path: Path, stories: Sequence[Story], outcomes: Sequence[Outcome]) -> None:
    """One test case for each story, with its seconds; those that were not played any more are skipped ones."""
    cases = [_played(outcome) for outcome in outcomes]
    cases += [_unplayed(story) for story in stories[len(outcomes) :]]
    suite = ElementTree.Element(
        "testsuite",
        name="abacito scenario",
        tests=str(len(cases)),
        failures=str(sum(outcome.failure is not None for outcome in outcomes)),
        errors="0",
        skipped=str(len(stories) - len(outcomes)),
        time=_seconds(sum(outcome.elapsed_s for outcome in outcomes)),
    )
    suite.extend(cases)
    root = ElementTree.Element("testsuites")
    root.append(suite)
    path.parent.mkdir(parents=True, exist_ok=True)
    ElementTree.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def _played(outcome: Outcome) -> ElementTree.Element:
    case = _case(outcome.story, outcome.elapsed_s)
    if outcome.failure is not None:
        case.append(_failure(outcome.failure))
    return case


def _failure(failure: Failure) -> ElementTree.Element:
    text = _legal(str(failure))
    element = ElementTree.Element("failure", message=text.partition("\n")[0], type="Failure")
    element.text = text
    return element


def _unplayed(story: Story) -> ElementTree.Element:
    case = _case(story, 0.0)
    ElementTree.SubElement(case, "skipped", message="not played: a story before it failed")
    return case


def _case(story: Story, elapsed_s: float) -> ElementTree.Element:
    file = Path(story.file)
    folder = ".".join(part for part in file.parent.parts if part.strip("/."))
    return ElementTree.Element(
        "testcase",
        classname=_legal(f"{folder}.{file.stem}" if folder else file.stem),
        name=_legal(story.title),
        file=_legal(story.file),
        time=_seconds(elapsed_s),
    )


def _legal(text: str) -> str:
    return _NO_XML.sub("\ufffd", text)


def _seconds(elapsed_s: float) -> str:
    return f"{elapsed_s:.3f}"
