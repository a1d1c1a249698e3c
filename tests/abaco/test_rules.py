"""Abaco's rules on their own: ids, permissions, tenants, bookkeeping."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abacito.abaco import errors, ids
from abacito.abaco.bookkeeping import display_time, kept_log, outcome_of
from abacito.abaco.container import ContainerEnd, Mount
from abacito.abaco.permission import WORLD, Level, Permission, is_permitted
from abacito.abaco.tenant import Tenant
from abacito.api.refusals import STATUS

TENANT = Tenant("T", "http://t")
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def test_ids_are_words_that_sort_by_age_and_decode_with_abacos_salt() -> None:
    made = [ids.new_id() for _ in range(50)]

    assert all(re.fullmatch(r"[A-Za-z0-9]{13}", each) for each in made)
    assert [ids.sort_key(each)[:-4] for each in made] == sorted(ids.sort_key(each)[:-4] for each in made)
    assert ids.number("NolBaJ5y6714M") is not None


@pytest.mark.parametrize("word", ["", "a", "my-alias", "NolBaJ5y6714", "é", "0" * 5000])
def test_a_word_that_is_no_id_has_no_number(word: str) -> None:
    assert ids.number(word) is None
    with pytest.raises(ValueError, match="not an id"):
        ids.sort_key(word)


@pytest.mark.parametrize(
    ("entries", "wanted", "permitted"),
    [
        ([], Level.READ, False),
        ([Permission("u", Level.READ, 1)], Level.READ, True),
        ([Permission("u", Level.READ, 1)], Level.EXECUTE, False),
        ([Permission("u", Level.UPDATE, 1)], Level.READ, True),
        ([Permission(WORLD, Level.NONE, 1)], Level.UPDATE, True),
        ([Permission("u", Level.NONE, 1), Permission(WORLD, Level.READ, 2)], Level.READ, False),
        ([Permission(WORLD, Level.READ, 1), Permission("u", Level.NONE, 2)], Level.READ, True),
    ],
)
def test_the_oldest_entry_that_bears_on_a_user_decides(
    entries: list[Permission], wanted: Level, permitted: bool
) -> None:
    """spec: http-api #126, #127"""
    assert is_permitted(entries, wanted) is permitted


def test_mounts_fill_in_names_and_skip_what_has_not_three_parts() -> None:
    tenant = Tenant(
        "T",
        "",
        global_mounts="/h/{username}/{tenant_id}:/c:ro, /bad:/c, /t/{tasdir}:/x:rw",
        privileged_mounts="/p:/p:rw",
    )

    assert tenant.mounts("u", None, privileged=False) == (Mount("/h/u/T", "/c", "ro"),)
    assert tenant.mounts("u", "d", privileged=True)[1:] == (Mount("/t/d", "/x", "rw"), Mount("/p", "/p", "rw"))


@pytest.mark.parametrize(
    ("log_ex", "default", "life"),
    [(None, 100, 100), (None, -1, None), (50, 100, 50), (500, 100, 200), (0, 100, 0)],
)
def test_a_logs_life_is_the_actors_up_to_the_limit_or_the_tenants_default(
    log_ex: int | None, default: int, life: int | None
) -> None:
    """spec: http-api #100; spec: execution #74"""
    assert Tenant("T", "", log_ex=default, log_ex_limit=200).log_life_s(log_ex) == life


@given(st.integers(0, 999_999))
def test_times_always_have_three_digits(microseconds: int) -> None:
    """spec: execution #62"""
    text = display_time(NOON.replace(microsecond=microseconds))

    assert text == f"2026-11-24T12:00:00.{microseconds // 1000:03d}Z"


@given(st.text(max_size=30))
def test_a_log_is_kept_whole_up_to_the_limit(text: str) -> None:
    kept = kept_log(text, Tenant("T", "", max_log_length=10))

    assert kept == text if len(text) <= 10 else kept.startswith(text[:10] + " LOG LIMIT EXCEEDED;")


def test_an_outcome_has_whole_seconds_and_never_ends_before_it_begins() -> None:
    """spec: execution #63"""
    end = ContainerEnd(None, {}, 2.5, finished_at=NOON - timedelta(seconds=5))

    outcome = outcome_of(end, NOON)

    assert (outcome.runtime, outcome.exit_code, outcome.final_state) == (2, "undetermined", {"unavailable": True})
    assert outcome.finish_time == NOON


def _tree(kind: type[Exception]) -> list[type[Exception]]:
    return [kind, *(below for each in kind.__subclasses__() for below in _tree(each))]


def test_every_refusal_has_a_status_of_its_own() -> None:
    assert [kind for kind in _tree(errors.Refusal) if kind not in STATUS] == []
