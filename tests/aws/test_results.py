"""Results are taken one by one, and whoever takes them all asks the store for little more than the results."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from abacito.abaco.actor import ActorKey
from abacito.abaco.execution import ExecutionKey
from abacito.aws import keys
from abacito.aws.embedded import Engine
from abacito.aws.results import ResultTable
from abacito.aws.tables import EXPIRES_AT, Item, Put, Table

NOW = datetime(2026, 1, 1, tzinfo=UTC)
KEY = ExecutionKey(ActorKey("T", "actor"), "x")


class CountingTable(Table):
    """A table that counts what is asked of it."""

    queries = 0
    puts = 0

    def query(self, pk: str, prefix: str = "", limit: int | None = None) -> Iterator[Item]:
        self.queries += 1
        return super().query(pk, prefix, limit)

    def put(self, put: Put) -> bool:
        self.puts += 1
        return super().put(put)


@pytest.fixture
def table() -> CountingTable:
    table = CountingTable(Engine().client("dynamodb"), "t")
    table.create()
    return table


def results(table: Table) -> ResultTable:
    return ResultTable(table, lambda tenant, moment: int(moment.timestamp()) if tenant == "T" else None)


def fill(table: Table, numbers: range) -> None:
    for number in numbers:
        results(table).add(KEY, number, b"%d" % number, NOW)


def test_readers_in_two_processes_share_the_results_in_order(table: CountingTable) -> None:
    fill(table, range(12))
    readers = results(table), results(table)

    taken = [readers[turn].take(KEY, NOW) for turn in (0, 0, 1, 0, 1, 1, 1, 0, 0, 1, 0, 1, 0, 1)]

    assert taken == [b"%d" % number for number in range(12)] + [None, None]


def test_whoever_takes_all_looks_for_the_first_one_only_and_notes_one_use(table: CountingTable) -> None:
    fill(table, range(50))
    reader = results(table)
    table.puts = 0

    taken = [reader.take(KEY, NOW) for _ in range(50)]

    assert taken == [b"%d" % number for number in range(50)]
    assert (table.queries, table.puts) == (1, 1)


def test_a_result_that_comes_late_or_out_of_order_is_not_lost(table: CountingTable) -> None:
    reader = results(table)
    fill(table, range(2))
    assert [reader.take(KEY, NOW) for _ in range(3)] == [b"0", b"1", None]

    fill(table, range(4, 6))
    fill(table, range(1))

    assert {reader.take(KEY, NOW) for _ in range(3)} == {b"0", b"4", b"5"}
    assert reader.take(KEY, NOW) is None


@pytest.mark.parametrize("since_last_read_s", [1198, 1201])
@pytest.mark.parametrize("is_same_reader", [True, False])
def test_reading_fast_keeps_the_rest_for_another_20_minutes(
    table: CountingTable, since_last_read_s: int, is_same_reader: bool
) -> None:
    fill(table, range(100))
    reader = results(table)
    times = [NOW + timedelta(seconds=0.4 * number) for number in range(60)]
    assert [reader.take(KEY, time) for time in times] == [b"%d" % number for number in range(60)]

    later_reader = reader if is_same_reader else results(table)
    found = later_reader.take(KEY, times[-1] + timedelta(seconds=since_last_read_s))

    assert found == (b"60" if since_last_read_s < 1200 else None)


def test_what_another_process_last_read_counts_too(table: CountingTable) -> None:
    fill(table, range(3))
    ours, theirs = results(table), results(table)
    assert ours.take(KEY, NOW) == b"0"
    assert theirs.take(KEY, NOW + timedelta(minutes=15)) == b"1"

    assert ours.take(KEY, NOW + timedelta(minutes=30)) == b"2"


def test_dynamodb_may_forget_results_a_day_after_their_last_use(table: CountingTable) -> None:
    fill(table, range(2))
    results(table).take(KEY, NOW)

    items = list(table.query(keys.results(KEY.id)))

    assert {int(item[EXPIRES_AT]) for item in items} == {int((NOW + timedelta(days=1)).timestamp())}
    assert len(items) == 2  # one result, and when one was read
