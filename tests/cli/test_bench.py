"""``abacito bench`` prints what it measured. How much that is depends on the machine: no test asks."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest


def bench(*arguments: str) -> dict[str, list[float]]:
    """The figures of each row by its words."""
    command = [sys.executable, "-m", "abacito", "bench", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    rows = (re.fullmatch(r"(.*?)((?: +-?\d+(?:\.\d+)?)+)", line) for line in done.stdout.splitlines())
    return {row[1].strip(): [float(figure) for figure in row[2].split()] for row in rows if row}


def test_throughput_tells_a_rate_for_results_and_binary_messages_on_each_way() -> None:
    rates = bench("throughput", "--rounds", "3")

    assert [name.partition(",")[0] for name in rates] == [
        "floor: results through a socket",
        "results",
        "results",
        "results recorded",
        "binary message",
        "binary message stored",
    ]
    assert all(p50 >= worst > 0 for p50, worst in rates.values())


@pytest.mark.docker
def test_execution_tells_the_ratio_to_the_raw_life_cycle_and_the_time_from_the_containers_end(
    docker_daemon: None,
) -> None:
    figures = bench("execution", "--rounds", "3")

    (ours, _), (raw, _) = (figures[name] for name in list(figures)[:2])
    assert figures["ratio of the first two medians"][0] == pytest.approx(ours / raw, abs=0.03)
    assert 0 <= figures["from Docker's die event until COMPLETE is seen by HTTP"][0] < ours


@pytest.mark.docker
def test_flood_tells_the_memory_that_a_long_log_takes_while_it_is_cut(docker_daemon: None) -> None:
    figures = bench("flood", "--megabytes", "3")

    notice = len(" LOG LIMIT EXCEEDED; this execution log was TRUNCATED!")
    assert figures["characters of log afterwards, with the notice"] == [1_000_000 + notice]
    assert figures["peak growth of this process, in MiB"][0] >= 0


def test_scale_tells_a_ratio_for_each_request() -> None:
    ratios = bench("scale", "--rounds", "3", "--actors", "100", "--executions", "100")

    assert len(ratios) == 7
    assert all(len(figures) == 3 for figures in ratios.values())


def test_identity_tells_what_a_get_takes_by_each_way_to_name_a_user() -> None:
    figures = bench("identity", "--rounds", "3")

    assert list(figures) == ["--auth none", "--auth tokens", "--auth jwt"]
    assert figures["--auth none"][1] == 0
    assert all(taken > 0 for taken, _ in figures.values())


def test_worlds_tells_what_an_empty_one_and_a_full_one_take() -> None:
    figures = bench("worlds", "--rounds", "3")

    acts = ["a snapshot is taken", "it is gone back to", "it is written", "it is read from a file, and is there"]
    assert list(figures) == acts
    assert all(len(row) == 2 and min(row) >= 0 for row in figures.values())
    assert figures["it is written"][1] > figures["it is written"][0]
