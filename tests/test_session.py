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
from moto.core.model_instances import model_data
from moto.dynamodb.models import dynamodb_backends
from moto.s3.models import s3_backends
from moto.sqs.models import sqs_backends

seconds, threads, descriptors, accounts, tracked = {"ours": [], "raw": []}, [], [], [], []

@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item, nextitem):
    began = time.perf_counter()
    result = yield
    if item.originalname == "test_ours":
        seconds["ours"].append(time.perf_counter() - began)
        threads.append(threading.active_count())
        descriptors.append(len(os.listdir("/proc/self/fd")))
        accounts.append(sum(map(len, (dynamodb_backends, s3_backends, sqs_backends))))
        tracked.append(sum(len(m.instances_tracked) for name in ("s3", "dynamodb") for m in model_data[name].values()))
    return result

def pytest_sessionfinish():
    taken = {"threads": threads, "descriptors": descriptors, "moto's accounts": accounts, "moto's objects": tracked}
    facts = {"seconds": seconds, "taken": taken}
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


def test_a_hundred_tests_take_no_more_of_anything_than_ten(pytester: pytest.Pytester) -> None:
    taken = measured(pytester, 100)["taken"]

    # the fewest of some: a test's last connection and timer end a moment after it
    late, early = (
        {what: min(counts[some]) for what, counts in taken.items()} for some in (slice(-20, None), slice(5, 25))
    )
    assert late == early
    assert early["moto's accounts"] <= 2  # the user's own mock has one of each kind that it uses


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
