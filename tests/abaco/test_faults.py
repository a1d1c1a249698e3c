"""Faults as data: what is taken, what they fit, how often they strike, and that a seed repeats them."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Any

import pytest

from abacito.abaco.actor import Actor, ActorKey
from abacito.abaco.alias import Alias
from abacito.abaco.errors import Absent, Malformed
from abacito.abaco.faults import FIELDS, KINDS, Fault, FaultKind, Faults, Subject, actor_named, fault_of

NOW = datetime(2026, 11, 24, tzinfo=UTC)
KILLED = FaultKind.KILLED


def strikes(faults: Faults, occasions: int, kind: FaultKind = KILLED) -> list[bool]:
    return [faults.strike(kind) is not None for _ in range(occasions)]


def test_every_kind_is_described_and_every_field_of_one_can_be_given() -> None:
    assert {*KINDS} == {*FaultKind}
    assert {name for kind in KINDS.values() for name in kind.fields} <= {*FIELDS}


def test_a_fault_strikes_once_unless_told_otherwise() -> None:
    faults = Faults()
    faults.add(Fault(KILLED))

    assert strikes(faults, 3) == [True, False, False]
    assert not faults.has(KILLED)
    assert [(each.struck, each.left) for each in faults.list()] == [(1, 0)]


def test_it_strikes_as_often_as_told_or_until_it_is_cleared() -> None:
    faults = Faults()
    thrice, always = faults.add(Fault(KILLED, times=3)), faults.add(Fault(FaultKind.HANGS, times=0))

    assert strikes(faults, 4) == [True, True, True, False]
    assert strikes(faults, 50, FaultKind.HANGS) == [True] * 50
    assert faults.clear(always.id)[0].struck == 50
    assert strikes(faults, 1, FaultKind.HANGS) == [False]
    assert [each.id for each in faults.list()] == [thrice.id]


def test_the_oldest_that_fits_is_struck_first() -> None:
    faults = Faults()
    first, second = faults.add(Fault(KILLED)), faults.add(Fault(KILLED))

    assert [fault.id for fault in (faults.strike(KILLED), faults.strike(KILLED)) if fault] == [first.id, second.id]


def test_what_came_too_late_is_given_back() -> None:
    faults = Faults()
    faults.add(Fault(KILLED))
    struck = faults.strike(KILLED)
    assert struck is not None

    faults.missed(struck)

    assert [(each.struck, each.left) for each in faults.list()] == [(0, 1)]
    assert strikes(faults, 2) == [True, False]


def test_a_seed_repeats_which_occasions_are_struck() -> None:
    made = Faults()
    told = made.add(Fault(KILLED, times=0, probability=0.3))
    seen = strikes(made, 200)
    again = Faults()
    again.add(Fault(KILLED, times=0, probability=0.3, seed=told.seed))

    assert strikes(again, 200) == seen
    assert 30 < sum(seen) < 90
    other = Faults()
    other.add(Fault(KILLED, times=0, probability=0.3, seed=(told.seed or 0) + 1))
    assert strikes(other, 200) != seen


def test_what_does_not_fit_uses_up_no_chance() -> None:
    seen = []
    for others in (0, 7):
        faults = Faults()
        faults.add(Fault(KILLED, actor="a", times=0, probability=0.5, seed=1))
        for _ in range(others):
            faults.strike(KILLED, Subject("b"))
        seen.append([faults.strike(KILLED, Subject("a")) is not None for _ in range(20)])

    assert seen[0] == seen[1]


@pytest.mark.parametrize(
    ("fault", "subject", "fits"),
    [
        (Fault(KILLED), Subject("a", "image"), True),
        (Fault(KILLED, actor="a"), Subject("a", "image"), True),
        (Fault(KILLED, actor="image"), Subject("a", "image"), True),
        (Fault(KILLED, actor="b"), Subject("a", "image"), False),
        (Fault(FaultKind.SLOW), Subject(method="GET", path="/actors"), True),
        (Fault(FaultKind.SLOW, method="GET"), Subject(method="POST", path="/actors"), False),
        (Fault(FaultKind.SLOW, path="/actors/*"), Subject(method="GET", path="/actors/a"), True),
        (Fault(FaultKind.SLOW, path="/actors/*"), Subject(method="GET", path="/actors/a/messages"), False),
        (Fault(FaultKind.SLOW, path="/actors/**"), Subject(method="GET", path="/actors/a/messages"), True),
        (Fault(FaultKind.SLOW, path="/a.b"), Subject(method="GET", path="/axb"), False),
    ],
)
def test_a_fault_fits_what_it_names_and_all_when_it_names_nothing(fault: Fault, subject: Subject, fits: bool) -> None:
    assert fault.fits(subject) is fits


def test_eight_threads_strike_no_oftener_than_is_left() -> None:
    faults, struck = Faults(), []
    faults.add(Fault(KILLED, times=100))

    def work() -> None:
        struck.extend(strikes(faults, 50))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (sum(struck), len(struck), faults.list()[0].struck) == (100, 400, 100)


def test_clearing_what_is_not_set_names_the_nearest() -> None:
    faults = Faults()
    with pytest.raises(Absent, match="known are none"):
        faults.clear("f1")
    faults.add(Fault(KILLED))

    with pytest.raises(Absent, match="did you mean 'f1'"):
        faults.clear("f12")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, "There is no fault None: known are start_fails, killed"),
        ({"kind": "kiled"}, "There is no fault 'kiled': did you mean 'killed'?"),
        ({"kind": ["killed"]}, "There is no fault"),
        ({"kind": "killed", "after": 1}, "killed has no field 'after': did you mean 'after_s'?"),
        ({"kind": "hangs", "path": "/x"}, "hangs has no field 'path'"),
        ({"kind": "killed", "after_s": -1}, "after_s = -1: it is seconds"),
        ({"kind": "killed", "after_s": float("nan")}, "after_s"),
        ({"kind": "killed", "after_s": True}, "after_s = True"),
        ({"kind": "killed", "actor": ""}, "actor = ''"),
        ({"kind": "exits", "exit_code": 256}, "exit_code = 256: it is an exit code, 0 to 255"),
        ({"kind": "exits", "exit_code": 1.5}, "exit_code"),
        ({"kind": "answers", "status": 200}, "status = 200: it is a status, 400 to 599"),
        ({"kind": "answers", "method": "FETCH"}, "method = 'FETCH': it is one of DELETE, GET"),
        ({"kind": "slow", "path": "actors"}, "path = 'actors'"),
        ({"kind": "killed", "times": -1}, "times"),
        ({"kind": "killed", "probability": 0}, "probability"),
        ({"kind": "killed", "probability": 1.1}, "probability"),
        ({"kind": "killed", "seed": "x"}, "seed"),
    ],
)
def test_what_is_no_fault_is_refused_with_what_would_be(given: dict[str, Any], told: str) -> None:
    with pytest.raises(Malformed) as refusal:
        fault_of(given)

    assert told in str(refusal.value)


def test_a_null_is_as_good_as_nothing() -> None:
    assert fault_of({"kind": "killed", "actor": None, "times": None}) == Fault(KILLED)


def test_an_actor_is_named_by_id_alias_or_image() -> None:
    actor = Actor(ActorKey("T", "XaBc"), "jdoe", "http://x", "me/image", NOW, NOW)
    alias = Alias("T", "greeter", "XaBc", "jdoe", "http://x")

    assert [actor_named(name, [actor], [alias]) for name in ("XaBc", "me/image", "greeter")] == [
        "XaBc",
        "me/image",
        "XaBc",
    ]
    with pytest.raises(Malformed, match=r"id, alias or image 'greter': did you mean 'greeter'\?"):
        actor_named("greter", [actor], [alias])
