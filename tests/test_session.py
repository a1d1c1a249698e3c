"""What a test with a fresh Abaco costs, as a multiple of stock moto in the same run, and that it stays so."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

import pytest

# Ours is all that a test takes, pytest's own part and the fixture included; stock moto's is only its three calls.
CONFTEST = """
import json, os, threading, time
from pathlib import Path

import boto3, pytest
from moto import mock_aws

seconds, threads, descriptors = {"ours": [], "raw": []}, [], []

@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item, nextitem):
    began = time.perf_counter()
    result = yield
    if item.originalname == "test_ours":
        seconds["ours"].append(time.perf_counter() - began)
        threads.append(threading.active_count())
        descriptors.append(len(os.listdir("/proc/self/fd")))
    return result

def pytest_sessionfinish():
    facts = {"seconds": seconds, "threads": threads, "descriptors": descriptors}
    Path("measured.json").write_text(json.dumps(facts))

@pytest.fixture(scope="session")
def raw():
    with mock_aws():
        db, sqs = (boto3.client(name, region_name="us-east-1") for name in ("dynamodb", "sqs"))
        db.create_table(
            TableName="t", KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}], BillingMode="PAY_PER_REQUEST",
        )
        url = sqs.create_queue(QueueName="q")["QueueUrl"]

        def once(n):
            began = time.perf_counter()
            db.put_item(TableName="t", Item={"k": {"S": str(n)}})
            sqs.send_message(QueueUrl=url, MessageBody="x")
            found = sqs.receive_message(QueueUrl=url)["Messages"]
            seconds["raw"].append(time.perf_counter() - began)
            sqs.delete_message(QueueUrl=url, ReceiptHandle=found[0]["ReceiptHandle"])

        yield once
"""
TESTS = """
import pytest

@pytest.mark.parametrize("n", range({tests}))
class TestByTurns:
    def test_ours(self, abacito, n):
        done = []
        abacito.register(lambda context: done.append(context.message)).send(str(n)).wait()
        assert done == [str(n)]

    def test_raw(self, raw, n):
        raw(n)
"""


def measured(pytester: pytest.Pytester, tests: int) -> dict[str, Any]:
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(TESTS.format(tests=tests))
    result = pytester.runpytest_subprocess("--abacito-runner=process", "-p", "no:cacheprovider", "-q")
    result.assert_outcomes(passed=2 * tests)
    return dict(json.loads(Path("measured.json").read_text()))


def test_a_hundred_tests_take_no_more_threads_and_descriptors_than_ten(pytester: pytest.Pytester) -> None:
    facts = measured(pytester, 100)

    # the fewest of some: a test's last connection and timer end a moment after it
    for taken in (facts["threads"], facts["descriptors"]):
        assert min(taken[-20:]) == min(taken[5:25])


@pytest.mark.slow
def test_a_thousand_tests_cost_at_most_fifteen_times_stock_moto_each_to_the_last(pytester: pytest.Pytester) -> None:
    """Three calls, PutItem, send and receive, against a fresh Abaco, an actor, and its execution seen COMPLETE."""
    seconds = measured(pytester, 1000)["seconds"]

    ours, raw = statistics.median(seconds["ours"]), statistics.median(seconds["raw"])
    early, late = statistics.median(seconds["ours"][10:210]), statistics.median(seconds["ours"][-200:])
    print(f"a test {ours * 1000:.1f} ms, moto {raw * 1000:.1f} ms: {ours / raw:.1f} times; late {late / early:.2f}")
    assert ours / raw <= 15
    # stock moto on the same machine at the same time says what the machine's own changes are
    slower = statistics.median(seconds["raw"][-200:]) / statistics.median(seconds["raw"][10:210])
    assert late / early <= 1.3 * max(1.0, slower)
