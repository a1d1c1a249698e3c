"""moto's DynamoDB with tables in which a page costs a page, and a transaction what it touches."""

from __future__ import annotations

import bisect
import copy
import itertools
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from moto.dynamodb.comparisons import create_condition_expression_parser
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType, Item
from moto.dynamodb.models.table import RESULT_SIZE_LIMIT, Table

from abacito.aws.embedded.plain import change_of
from abacito.aws.embedded.tracking import Unlisted


def _value(key: DynamoType) -> Any:
    return key.cast_value


class Partition(dict[DynamoType, Item]):
    """The items of one partition key by sort key, with the sort keys in order.

    ``owner`` alone may write to it; for anybody else there is ``copy_for``.
    """

    def __init__(self, owner: object = None) -> None:
        super().__init__()
        self.owner = owner
        self._order: list[DynamoType] = []

    def copy_for(self, owner: object) -> Partition:
        """Another with the very same items: none is ever changed, only replaced."""
        twin = Partition(owner)
        dict.update(twin, self)
        twin._order = list(self._order)
        return twin

    def __setitem__(self, key: DynamoType, item: Item) -> None:
        if key not in self:
            bisect.insort(self._order, key, key=_value)
        super().__setitem__(key, item)

    def pop(self, key: DynamoType, *default: Any) -> Any:
        """As a dict's."""
        if key in self:
            del self._order[bisect.bisect_left(self._order, _value(key), key=_value)]
        return super().pop(key, *default)

    def __deepcopy__(self, memo: dict[int, Any]) -> Partition:
        twin = Partition()
        for key, item in self.items():
            twin[copy.deepcopy(key, memo)] = copy.deepcopy(item, memo)
        return twin

    def page(
        self, comparison: str | None, values: Sequence[Any], start: Any, limit: int | None, is_forward: bool
    ) -> dict[DynamoType, Item]:
        """The items that moto's own query can return, and the next one, from which it sees that there is more."""
        low, high = self._range(comparison, values)
        if is_forward:
            low = max(low, self._right(start)) if start is not None else low
            positions = range(low, min(high + 1, len(self._order)))
        else:
            high = min(high, self._left(start)) if start is not None else high
            positions = range(high - 1, max(low - 1, 0) - 1, -1)
        return self._up_to(limit, positions)

    def _up_to(self, limit: int | None, positions: range) -> dict[DynamoType, Item]:
        found: dict[DynamoType, Item] = {}
        size = 0
        for position in positions:
            key = self._order[position]
            found[key] = self[key]
            size += found[key].size()
            if size > RESULT_SIZE_LIMIT or (limit and len(found) > limit):
                break
        return found

    def _range(self, comparison: str | None, values: Sequence[Any]) -> tuple[int, int]:
        end = len(self._order)
        match comparison, *values:
            case (("=" | "EQ"), value):
                return self._left(value), self._right(value)
            case (("<" | "LT"), value):
                return 0, self._left(value)
            case (("<=" | "LE"), value):
                return 0, self._right(value)
            case ((">" | "GT"), value):
                return self._right(value), end
            case ((">=" | "GE"), value):
                return self._left(value), end
            case "BETWEEN", low, high:
                return self._left(low), self._right(high)
            case "BEGINS_WITH", prefix:
                length = len(prefix)
                return self._left(prefix), bisect.bisect_right(self._order, prefix, key=lambda k: _value(k)[:length])
        return 0, end

    def _left(self, value: Any) -> int:
        return bisect.bisect_left(self._order, value, key=_value)

    def _right(self, value: Any) -> int:
        return bisect.bisect_right(self._order, value, key=_value)


class FlatTable(Unlisted, Table):
    """moto's table, but a query by the table's own key costs a page. Index queries and scans cost the table.

    ``saved`` costs a dict's copy: from then on a partition is copied when it is first written to, an item replaced and
    not changed.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.is_in_transaction = False
        self._owner = object()
        if self.has_range_key:
            self.items = defaultdict(self._partition)

    def saved(self) -> dict[DynamoType, Any]:
        """All that is in it now, to be read by anybody, and never to be changed."""
        self._owner = object()
        return dict(self.items)

    def go_back(self, saved: dict[DynamoType, Any]) -> None:
        """Have just this in it again."""
        self._owner = object()
        if self.has_range_key:
            self.items = defaultdict(self._partition, saved)
        else:
            self.items = dict(saved)  # type: ignore[assignment] # so does moto

    def _partition(self) -> Partition:
        return Partition(self._owner)

    def _own(self, hash_key: DynamoType) -> None:
        """Have the partition, if there is one, be this table's alone."""
        found = self.items.get(hash_key)
        if isinstance(found, Partition) and found.owner is not self._owner:
            self.items[hash_key] = found.copy_for(self._owner)

    def __deepcopy__(self, memo: dict[int, Any]) -> FlatTable:
        if self.is_in_transaction:
            return self  # moto's copy to go back to; FlatDynamo keeps what the transaction touches
        twin = object.__new__(FlatTable)  # type: ignore[type-abstract]
        memo[id(self)] = twin
        twin.__dict__ = copy.deepcopy(self.__dict__, memo)
        twin._owner = object()
        return twin

    def get_item(
        self,
        hash_key: DynamoType,
        range_key: DynamoType | None = None,
        projection_expression: list[list[str]] | None = None,
    ) -> Item | None:
        """The item or None; looking for one leaves no empty partition behind, as it does in moto."""
        if range_key and hash_key not in self.items:
            return None
        return super().get_item(hash_key, range_key, projection_expression)

    def put_item(self, item_attrs: dict[str, Any], *args: Any, **kwargs: Any) -> Item:
        """As moto, which refuses an item without its key."""
        if self.has_range_key and self.hash_key_attr in item_attrs:
            self._own(DynamoType(item_attrs[self.hash_key_attr]))
        return super().put_item(item_attrs, *args, **kwargs)

    def delete_item(self, hash_key: DynamoType, range_key: DynamoType | None) -> Item | None:
        """Remove the item, and with the last one its partition."""
        self._own(hash_key)
        item = super().delete_item(hash_key, range_key)
        if self.has_range_key and not self.items[hash_key]:
            del self.items[hash_key]
        return item

    def place(self, hash_key: DynamoType, range_key: DynamoType | None, item: Item | None) -> None:
        """Have this there, whatever was."""
        if item is None:
            self.delete_item(hash_key, range_key)
        elif range_key:
            self._own(hash_key)
            self.items[hash_key][range_key] = item
        else:
            self.items[hash_key] = item  # type: ignore[assignment] # so does moto

    def query(
        self,
        hash_key: DynamoType | None,
        range_comparison: str | None,
        range_objs: list[DynamoType],
        limit: int,
        exclusive_start_key: dict[str, Any],
        scan_index_forward: bool,
        projection_expressions: list[list[str]] | None,
        index_name: str | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> tuple[list[Item], int, dict[str, Any] | None]:
        """moto's own query, over a table that holds only what it can return."""
        asked = (hash_key, range_comparison, range_objs, limit, exclusive_start_key, scan_index_forward)
        rest = (projection_expressions, index_name, *args)
        # The old QueryFilter sifts before the limit counts, so a page may need any number of items.
        if index_name or hash_key is None or kwargs.keys() - {"hash_key_conditions", "range_key_conditions"}:
            return super().query(*asked, *rest, **kwargs)
        found: Any = self.items.get(hash_key, {})
        if isinstance(found, Partition):
            start = (exclusive_start_key or {}).get(str(self.range_key_attr))
            found = found.page(
                range_comparison,
                [_value(value) for value in range_objs],
                None if start is None else _value(DynamoType(start)),
                limit,
                scan_index_forward is not False,
            )
        view = object.__new__(Table)  # type: ignore[type-abstract] # not tracked, and gone after this
        view.__dict__ = {**self.__dict__, "items": {hash_key: found} if found else {}}
        return Table.query(view, *asked, *rest, **kwargs)


# The parameters that a plain update may have, and what moto's model calls them.
PLAIN_PARAMETERS = {
    "UpdateExpression": "update_expression",
    "ExpressionAttributeNames": "expression_attribute_names",
    "ExpressionAttributeValues": "expression_attribute_values",
    "ConditionExpression": "condition_expression",
}


class FlatDynamo(DynamoDBBackend):
    """moto's DynamoDB with flat tables. A refused transaction leaves its traces in streams, which nobody reads here."""

    def create_table(self, name: str, **kwargs: Any) -> Table:  # type: ignore[override] # moto's caller names them all
        """Make the table; moto refuses a name that is taken."""
        if name in self.tables:
            return super().create_table(name, **kwargs)
        self.tables[name] = FlatTable(name, account_id=self.account_id, region=self.region_name, **kwargs)  # type: ignore[abstract]
        return self.tables[name]

    def saved(self) -> dict[str, dict[DynamoType, Any]]:
        """What is in each table now."""
        return {name: self._flat(name).saved() for name in self.tables}

    def go_back(self, saved: Mapping[str, dict[DynamoType, Any]], keeps: Callable[[str], bool]) -> None:
        """Have just this in the tables that there are, but for the partitions that are to be kept."""
        for name in self.tables:
            table, partitions = self._flat(name), dict(saved.get(name, {}))
            for key in [key for key in partitions if keeps(key.value)]:
                del partitions[key]
            partitions.update((key, found) for key, found in table.items.items() if keeps(key.value))
            table.go_back(partitions)

    def _flat(self, name: str) -> FlatTable:
        table = self.tables[name]
        assert isinstance(table, FlatTable)
        return table

    def update_item(self, table_name: str, key: dict[str, Any], **asked: Any) -> Item:  # type: ignore[override] # as above
        """The item afterwards. Plain updates are done by hand; the rest, and what is refused, in moto's own way."""
        named = {theirs: asked.get(ours) for theirs, ours in PLAIN_PARAMETERS.items()}
        is_old = asked.get("attribute_updates") or asked.get("expected")
        plain = None if is_old else self.update_plainly({"TableName": table_name, "Key": key, **named})
        if plain is not None:
            return plain
        self._replace_by_twin(table_name, key)
        return super().update_item(table_name, key, **asked)

    def _replace_by_twin(self, table_name: str, key: dict[str, Any]) -> None:
        """moto is about to change the item itself, which may be somebody's who was given it."""
        table = self.tables.get(table_name)
        if isinstance(table, FlatTable) and key.keys() == set(table.table_key_attrs):
            place = self.get_keys_value(table, key)
            if (item := table.get_item(*place)) is not None:
                table.place(*place, copy.deepcopy(item))

    def update_plainly(self, asked: dict[str, Any]) -> Item | None:
        """The item afterwards; None, and nothing is done, when it is not plain, or to be refused.

        ``asked`` as UpdateItem's parameters; others than ``PLAIN_PARAMETERS`` are not looked at.
        """
        table, key = self.tables.get(asked["TableName"]), asked["Key"]
        if not isinstance(table, FlatTable) or key.keys() != set(table.table_key_attrs):
            return None
        expression, names, values = (asked.get(n) for n in list(PLAIN_PARAMETERS)[:3])
        change = change_of(table, expression or "", names, values)
        if change is None:
            return None
        condition = create_condition_expression_parser(asked.get("ConditionExpression"), names, values)
        operator = condition.parse()
        used = {*change.placeholders, *condition.expr_attr_names_found, *condition.expr_attr_values_found}
        place = self.get_keys_value(table, key)
        item = table.get_item(*place)
        attributes = change.applied(item)
        if attributes is None or {*(names or ()), *(values or ())} - used or not operator.expr(item):
            return None
        if item is None:
            table.put_item(key)  # checks the key
        changed = Item(*place, {})
        # update(), for moto weighs the whole item whenever an attribute is set by itself.
        changed.attrs.update({**{name: DynamoType(value) for name, value in key.items()}, **attributes})
        table.place(*place, changed)
        return changed

    def transact_write_items(self, transact_items: list[dict[str, Any]]) -> None:
        """All or nothing, as moto; but what it would go back to are the items, not copies of the whole tables."""
        before = [(*place, place[0].get_item(*place[1:])) for place in self._places(transact_items)]
        tables = {id(table): table for table, *_ in before}.values()
        for table in tables:
            table.is_in_transaction = True
        try:
            super().transact_write_items(transact_items)
        except BaseException:  # whatever it was, it must not leave half a transaction
            for table, hash_key, range_key, item in before:
                table.place(hash_key, range_key, item)
            raise
        finally:
            for table in tables:
                table.is_in_transaction = False

    def _places(
        self, transact_items: list[dict[str, Any]]
    ) -> Iterator[tuple[FlatTable, DynamoType, DynamoType | None]]:
        """Where the operations write; those that make no sense are left for moto to refuse."""
        for operation in itertools.chain.from_iterable(item.values() for item in transact_items):
            table = self.tables.get(operation.get("TableName"))
            key = operation.get("Key") or operation.get("Item") or {}
            if isinstance(table, FlatTable) and key.keys() >= set(table.table_key_attrs):
                yield (table, *self.get_keys_value(table, key))
