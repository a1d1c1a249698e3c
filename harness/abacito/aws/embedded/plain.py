"""Plain updates carried out by hand: moto makes a syntax tree of each, checks it several times and copies the item.

Plain is what ``tables.py`` writes: ``SET #a = :a``, ``ADD #n :n`` of whole numbers, ``REMOVE #r``, in this order, at an
item's top level. Whatever else an update says, or is wrong with it, is left to moto. Differs from moto on purpose: an
attribute that is replaced does not count twice towards an item's largest size.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from moto.dynamodb.models.dynamo_type import DynamoType, Item
from moto.dynamodb.models.table import Table

_NAME, _VALUE = r"#\w+", r":\w+"
_SET = rf"SET (?P<set>{_NAME} = {_VALUE}(?:, {_NAME} = {_VALUE})*)"
_ADD = rf"ADD (?P<add>{_NAME} {_VALUE}(?:, {_NAME} {_VALUE})*)"
_REMOVE = rf"REMOVE (?P<remove>{_NAME}(?:, {_NAME})*)"
_UPDATE = re.compile(rf"(?=\S)(?:{_SET})?(?:(?:^|(?<!^) ){_ADD})?(?:(?:^|(?<!^) ){_REMOVE})?", re.ASCII)
_PAIR = re.compile(rf"({_NAME})(?: =)? ({_VALUE})", re.ASCII)
_WHOLE = re.compile(r"-?\d+", re.ASCII)

_SCALARS = {"S", "N", "B", "BOOL", "NULL"}

# moto's own limit, in its own measure (dynamo_type.py, LimitedSizeDict).
_LARGEST_ITEM_BYTES = 405_000


@dataclass(frozen=True, slots=True)
class Plan:
    """What an update does, by the placeholders of names and values."""

    set: tuple[tuple[str, str], ...]
    add: tuple[tuple[str, str], ...]
    remove: tuple[str, ...]

    @property
    def names(self) -> list[str]:
        """Every name that is written, as often as it is."""
        return [name for name, _ in (*self.set, *self.add)] + list(self.remove)

    @property
    def values(self) -> list[str]:
        """Every value that is used."""
        return [value for _, value in (*self.set, *self.add)]


#: What an operation does that updates nothing.
NOTHING = Plan((), (), ())


@lru_cache(maxsize=512)
def plan_of(expression: str) -> Plan | None:
    """The plan of an update expression; None when it is not plain."""
    found = _UPDATE.fullmatch(expression)
    if found is None:
        return None
    pairs = {verb: tuple(_PAIR.findall(found[verb] or "")) for verb in ("set", "add")}
    return Plan(pairs["set"], pairs["add"], tuple((found["remove"] or "").split(", ")) if found["remove"] else ())


@dataclass(frozen=True, slots=True)
class Change:
    """A plan with its names and values; ``placeholders`` are those it uses."""

    placeholders: frozenset[str]
    set: Mapping[str, DynamoType]
    add: Mapping[str, int]
    remove: tuple[str, ...]

    def applied(self, item: Item | None) -> dict[str, DynamoType] | None:
        """The item's attributes afterwards; None when moto has something against it."""
        attributes: dict[str, DynamoType] = dict(item.attrs) if item else {}
        for name, number in self.add.items():
            before = attributes.get(name)
            if before is not None and not _is_whole(before.type, before.value):
                return None
            attributes[name] = DynamoType({"N": str(number + (int(before.value) if before else 0))})
        for name in self.remove:
            attributes.pop(name, None)
        attributes.update(self.set)
        size = sum(len(name.encode()) + value.size() for name, value in attributes.items())
        return attributes if size <= _LARGEST_ITEM_BYTES else None


def change_of(
    table: Table, expression: str, names: Mapping[str, str] | None, values: Mapping[str, Any] | None
) -> Change | None:
    """What an update of this table does; None when it is not plain, or moto would have to refuse it."""
    plan = plan_of(expression)
    if plan is None or table.global_indexes or table.indexes or table.stream_shard is not None:
        return None
    names, values = names or {}, values or {}
    if not (names.keys() >= set(plan.names) and values.keys() >= set(plan.values)):
        return None
    written = [names[name] for name in plan.names]
    if len(written) != len(set(written)) or not set(table.attribute_keys).isdisjoint(written):
        return None
    if not all(values[value].keys() <= _SCALARS and len(values[value]) == 1 for value in plan.values):
        return None
    if not all(_is_whole("N", values[value].get("N")) for _, value in plan.add):
        return None
    return Change(
        frozenset((*plan.names, *plan.values)),
        {names[name]: DynamoType(values[value]) for name, value in plan.set},
        {names[name]: int(values[value]["N"]) for name, value in plan.add},
        tuple(names[name] for name in plan.remove),
    )


def _is_whole(kind: str, value: object) -> bool:
    return kind == "N" and isinstance(value, str) and _WHOLE.fullmatch(value) is not None
