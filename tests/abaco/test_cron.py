"""Abaco's cron schedules: what is taken and refused, when the next run is, what a pass does."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abacito.abaco import cron
from abacito.abaco.cron import LAST_HOUR, Pass, Period, Schedule, Unit
from abacito.abaco.errors import Malformed

NOW = datetime(2026, 11, 23, 21, 17, 5, 431_000, tzinfo=UTC)
THIS_HOUR = datetime(2026, 11, 23, 21, tzinfo=UTC)
HOUR = timedelta(hours=1)
BAD_FORM = "The cron is not in the correct format"

hours = st.datetimes(timezones=st.just(UTC)).map(lambda t: t.replace(minute=0, second=0, microsecond=0))
periods = st.builds(Period, st.integers(1, 10**9), st.sampled_from(Unit))
near_texts = st.text(alphabet="0123456789-+ nowNhurdayek:\n٣", max_size=40)
parts = st.sampled_from(["now", "9999-12-31 23", "2026-11-24 3", "2078-13-45 20", "x", ""]) | near_texts
made_texts = st.builds("{} + {} {}".format, parts, st.integers() | near_texts, st.sampled_from(["hour", "months", ""]))
any_texts = st.text() | near_texts | made_texts


def at(text: str) -> datetime:
    return cron.next_execution(text)


def refusal_of(text: str) -> str:
    with pytest.raises(Malformed) as caught:
        cron.parse(text, NOW)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "start", "count", "unit"),
    [
        ("2026-11-24 21 + 1 day", "2026-11-24 21", 1, Unit.DAYS),
        ("2026-11-23 21 + 6 hours", "2026-11-23 21", 6, Unit.HOURS),
        ("2078-09-6 20 + 2 weeks", "2078-9-6 20", 2, Unit.WEEKS),
        ("2078-9-06 02 + 012 months", "2078-9-6 2", 12, Unit.MONTHS),
        ("now + 1 hour", "2026-11-23 21", 1, Unit.HOURS),
        ("Now + 3 week", "2026-11-23 21", 3, Unit.WEEKS),
        ("now + 1 month", "2026-11-23 21", 1, Unit.MONTHS),
        ("now + 10 days", "2026-11-23 21", 10, Unit.DAYS),
    ],
)
def test_a_schedule_has_a_start_a_count_and_a_unit(text: str, start: str, count: int, unit: Unit) -> None:
    """spec: http-api-more #89"""
    assert cron.parse(text, NOW) == Schedule(start=at(start), count=count, unit=unit)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "+",
        "now",
        "+1 hours",
        "now +1 hour",
        "now+ 1 hour",
        "now 1 hour",
        "now + 1",
        "now + 1 ",
        "now + hour",
        " + 1 hour",
        "now +  1 hour",
        "2026-11-24 3",
        "now - 1 hour",
    ],
)
def test_what_is_not_of_the_form_is_refused(text: str) -> None:
    """spec: http-api-more #91"""
    assert refusal_of(text) == BAD_FORM


@pytest.mark.parametrize(
    "start",
    [
        "2026-11-24",
        "NOW",
        "nOw",
        "now ",
        " now",
        "tomorrow",
        "2026/11/24 3",
        "2026-11-24 3 ",
        "2026-11-24  3",
        "2026-11-24T03",
        "12026-11-24 3",
        "-2026-11-24 3",
        "2026-11-24 3\n",
        "2027-٣-1 3",
        "2027-1-1 ٣",
    ],
)
def test_a_start_that_is_not_written_as_one_is_refused_in_words(start: str) -> None:
    """spec: http-api-more #89"""
    assert refusal_of(f"{start} + 1 hour") == f"The starting date {start} is not in the correct format"


@pytest.mark.parametrize(
    "start", ["2078-13-45 20", "2027-2-29 1", "2027-1-5 25", "2027-1-5 24", "2027-1-5 3:30", "0-1-1 1"]
)
def test_a_start_that_is_on_no_calendar_is_refused_in_the_same_words(start: str) -> None:
    assert refusal_of(f"{start} + 1 hour") == f"The starting date {start} is not in the correct format"


@pytest.mark.parametrize("start", ["2026-11-23 20", "2020-06-21 14", "1-1-1 0"])
def test_a_start_before_the_current_hour_is_old(start: str) -> None:
    """spec: http-api-more #90"""
    assert refusal_of(f"{start} + 1 hour") == (
        "The starting datetime is old. The current UTC time is 2026-11-23 21:00:00"
    )


@pytest.mark.parametrize(
    "unit", ["flimflams", "Hours", "HOUR", "hour ", " hour", "hours hours", "minutes", "hourss", "s"]
)
def test_an_unknown_unit_is_named_in_the_refusal(unit: str) -> None:
    """spec: http-api-more #92"""
    assert refusal_of(f"now + 6 {unit}") == f"{unit} is an invalid unit of time"


@pytest.mark.parametrize("count", ["x", "0", "000", "-1", "+1", "1.5", "1_0", "1e3", "²", "٣"])
@pytest.mark.parametrize("start", ["now", "2027-1-5 3"])
def test_a_count_that_is_no_positive_integer_is_refused(start: str, count: str) -> None:
    assert refusal_of(f"{start} + {count} hours") == BAD_FORM


@pytest.mark.parametrize("count", ["1000000", "99999999", "100000000", "9" * 5000])
@pytest.mark.parametrize("unit", ["months", "weeks"])
def test_a_period_that_leads_out_of_the_calendar_is_refused(unit: str, count: str) -> None:
    assert refusal_of(f"now + {count} {unit}") == BAD_FORM


def test_a_start_that_leaves_no_room_for_a_period_is_refused() -> None:
    assert refusal_of("9999-12-31 23 + 1 hour") == BAD_FORM
    assert refusal_of("9999-12-1 0 + 1 month") == BAD_FORM
    assert cron.parse("9999-12-31 21 + 1 hour", NOW).start == at("9999-12-31 21")


def test_zeros_before_a_count_do_not_matter_however_many() -> None:
    assert cron.parse(f"now + {'0' * 5000}7 days", NOW).count == 7


@pytest.mark.parametrize(
    ("text", "beginning"),
    [
        ("tomorrow + x flimflams", "The starting date tomorrow"),
        ("2020-06-21 14 + 6 flimflams", "The starting datetime is old."),
        ("now + x flimflams", "flimflams is an invalid unit"),
    ],
)
def test_the_first_thing_wrong_in_abacos_order_is_what_is_told(text: str, beginning: str) -> None:
    """spec: http-api-more #92"""
    assert refusal_of(text).startswith(beginning)


@given(any_texts, hours)
def test_any_text_is_a_schedule_or_malformed(text: str, now: datetime) -> None:
    with suppress(Malformed):
        schedule = cron.parse(text, now)

        assert schedule.start >= now
        assert schedule.after(schedule.start) > schedule.start
        assert cron.read(text) == Period(schedule.count, schedule.unit)
        assert cron.next_execution(cron.first_run(text, now)) == schedule.start


@given(any_texts)
def test_any_stored_text_can_be_read_or_is_malformed(text: str) -> None:
    with suppress(Malformed):
        assert cron.read(text).count >= 1
    with suppress(Malformed):
        assert cron.next_execution(text).tzinfo is UTC


@pytest.mark.parametrize("start", ["2020-06-21 14", "now"])
def test_a_stored_schedule_is_read_long_after_its_start(start: str) -> None:
    assert cron.read(f"{start} + 2 weeks") == Period(2, Unit.WEEKS)


def test_the_first_run_is_the_start_as_typed() -> None:
    """§6.1"""
    assert cron.first_run("2078-09-6 05 + 1 day", NOW) == "2078-09-6 05"


@pytest.mark.parametrize("start", ["now", "Now"])
def test_the_first_run_of_a_schedule_from_now_is_the_current_hour(start: str) -> None:
    """spec: http-api-more #89"""
    assert cron.first_run(f"{start} + 1 hour", NOW) == "2026-11-23 21"


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2026, 11, 23, 22, tzinfo=UTC), "2026-11-23 22"),
        (datetime(2027, 1, 5, 3, tzinfo=UTC), "2027-1-5 3"),
        (datetime(2027, 10, 31, 0, 59, tzinfo=UTC), "2027-10-31 0"),
    ],
)
def test_a_next_run_is_written_without_padding(moment: datetime, text: str) -> None:
    assert cron.display(moment) == text


@pytest.mark.parametrize("text", ["2027-1-5 3", "2027-01-05 03", "2027-1-05 3"])
def test_a_next_run_is_read_padded_or_not(text: str) -> None:
    assert cron.next_execution(text) == datetime(2027, 1, 5, 3, tzinfo=UTC)


@given(hours)
def test_a_next_run_that_was_written_reads_as_the_same_hour(moment: datetime) -> None:
    assert cron.next_execution(cron.display(moment)) == moment


@pytest.mark.parametrize("text", ["", "now", "None", "2027-1-5", "2027-13-5 3"])
def test_what_is_no_next_run_is_malformed(text: str) -> None:
    with pytest.raises(Malformed, match="is not in the correct format"):
        cron.next_execution(text)


@pytest.mark.parametrize(
    ("moment", "period", "after"),
    [
        ("2026-12-31 23", Period(1, Unit.HOURS), "2027-1-1 0"),
        ("2026-11-23 21", Period(30, Unit.HOURS), "2026-11-25 3"),
        ("2028-2-28 5", Period(1, Unit.DAYS), "2028-2-29 5"),
        ("2026-12-28 5", Period(2, Unit.WEEKS), "2027-1-11 5"),
        ("2026-11-23 21", Period(14, Unit.MONTHS), "2028-1-23 21"),
    ],
)
def test_a_period_later_is_that_much_later(moment: str, period: Period, after: str) -> None:
    assert period.after(at(moment)) == at(after)


@pytest.mark.parametrize(
    ("moment", "after"),
    [
        ("2027-1-31 7", "2027-2-28 7"),
        ("2028-1-31 7", "2028-2-29 7"),
        ("2027-3-31 7", "2027-4-30 7"),
        ("2026-12-31 7", "2027-1-31 7"),
    ],
)
def test_a_month_after_the_31st_is_the_next_months_last_day(moment: str, after: str) -> None:
    """spec: http-api-more #97"""
    assert Period(1, Unit.MONTHS).after(at(moment)) == at(after)


def test_a_day_lost_to_a_short_month_stays_lost() -> None:
    monthly = Period(1, Unit.MONTHS)

    assert monthly.after(monthly.after(at("2027-1-31 7"))) == at("2027-3-28 7")


@pytest.mark.parametrize("unit", Unit)
@pytest.mark.parametrize("count", [10**8, 10**30, 10**400])
def test_past_the_end_of_the_calendar_is_its_last_hour(unit: Unit, count: int) -> None:
    assert Period(count, unit).after(THIS_HOUR) == LAST_HOUR


@pytest.mark.parametrize(
    ("next_run", "is_on", "done"),
    [
        (THIS_HOUR, True, Pass(runs=True, next=THIS_HOUR + 3 * HOUR)),
        (THIS_HOUR - 100 * HOUR, True, Pass(runs=True, next=THIS_HOUR - 97 * HOUR)),
        (THIS_HOUR + HOUR, True, Pass(runs=False, next=None)),
        (THIS_HOUR + HOUR, False, Pass(runs=False, next=None)),
    ],
)
def test_a_pass_runs_what_is_due_and_advances_it_by_one_period(next_run: datetime, is_on: bool, done: Pass) -> None:
    assert cron.one_pass(Period(3, Unit.HOURS), next_run, NOW, is_on=is_on) == done


@pytest.mark.parametrize("next_run", [THIS_HOUR, THIS_HOUR - 100 * HOUR])
def test_a_schedule_that_is_off_advances_without_a_run(next_run: datetime) -> None:
    """§6.4"""
    done = cron.one_pass(Period(3, Unit.HOURS), next_run, NOW, is_on=False)

    assert done == Pass(runs=False, next=next_run + 3 * HOUR)


def test_a_schedule_from_now_is_due_at_the_next_pass_and_then_an_hour_later() -> None:
    """spec: http-api-more #89"""
    schedule = cron.parse("now + 1 hour", NOW)

    first = cron.one_pass(schedule, schedule.start, NOW, is_on=True)

    assert first == Pass(runs=True, next=THIS_HOUR + HOUR)
    assert cron.one_pass(schedule, THIS_HOUR + HOUR, NOW + HOUR, is_on=True).runs


@given(st.datetimes(max_value=datetime(4000, 1, 1), timezones=st.just(UTC)), st.integers(1, 500), st.sampled_from(Unit))
def test_two_passes_two_periods_behind_give_two_runs(start: datetime, count: int, unit: Unit) -> None:
    """spec: http-api-more #96"""
    period = Period(count, unit)
    stored = start.replace(minute=0, second=0, microsecond=0)
    now = period.after(period.after(stored))

    first = cron.one_pass(period, stored, now, is_on=True)
    assert first.next is not None
    second = cron.one_pass(period, first.next, now, is_on=True)

    assert (first.runs, second.runs) == (True, True)
    assert second.next == now


@given(periods, hours, st.datetimes(timezones=st.just(UTC)))
def test_a_pass_moves_the_next_run_on_or_leaves_it(period: Period, next_run: datetime, now: datetime) -> None:
    done = cron.one_pass(period, next_run, now, is_on=True)

    assert done.runs is (done.next is not None)
    assert done.next is None or done.next > next_run


def test_at_the_end_of_the_calendar_nothing_is_ever_due() -> None:
    assert cron.one_pass(Period(1, Unit.DAYS), LAST_HOUR, datetime.max.replace(tzinfo=UTC), is_on=True) == Pass(
        runs=False, next=None
    )
