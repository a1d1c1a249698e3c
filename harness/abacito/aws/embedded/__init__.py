"""moto in this process as an AWS of one emulator's own; this package knows moto's insides (5.2), no other.

What is better here than in stock moto, and why:

- moto is not safe under threads (messages lost or doubled, counters short, two winners of one conditional write): one
  lock round every call, never held through a wait.
- Its SQS walks the whole queue on every call, and lives on the wall clock: here heaps and dicts, on a monotonic clock.
- Its DynamoDB sorts the whole table for a query and copies it for a transaction: here a page costs a page, and a
  transaction what it touches.
- It parses, checks and copies an item several times to change one attribute: ``plain.py`` does what is simple at once.
- A call goes a long way: boto3 makes HTTP of it, which moto reads, answers by HTTP, and boto3 reads that. Calls about
  items, messages and whole objects are handed over as they are (``direct.py``): a tenth of the time.
- Its classes are abstract to mypy, though not to Python: hence the ignored ``abstract``.
- It finds its data by account in global registries, which any ``mock_aws()`` in the process wipes: our backends are in
  no registry at all. Our clients' requests go straight to them, so nothing of moto or botocore is patched.
"""

from abacito.aws.embedded.engine import Engine

__all__ = ["Engine"]
