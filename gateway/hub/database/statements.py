"""Compiles SQLAlchemy's statements for a driver, once each, and binds values to them.

SQLAlchemy's own way from a statement to its driver takes 20 times as long as SQLite takes to execute it. So only its
language and types are used here. A statement object that is executed again is not compiled or looked up again: what of
it depends on the caller's values is known. A statement that is built anew each time is looked up by SQLAlchemy's cache
key.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, TypeVar, cast
from weakref import WeakKeyDictionary

from pydantic_core import to_json
from sqlalchemy import Column, ColumnDefault, Executable, Row, Select, Table, UpdateBase
from sqlalchemy.engine import Dialect
from sqlalchemy.engine.interfaces import CompiledCacheType
from sqlalchemy.engine.result import IteratorResult, SimpleResultMetaData
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.util import LRUCache

from gateway.domain.frozen import Frozen

MAX_COMPILED = 500  # statements
WITH = "WITH "

Params = Mapping[str, Any]
_NO_COLUMNS = SimpleResultMetaData(())
R = TypeVar("R", bound=tuple[Any, ...])
Processor = Callable[[Any], Any]


def json_text(value: object) -> str:
    """Return a value as JSON: pydantic's serializer needs a quarter of the time of `json.dumps`."""
    return to_json(value).decode()


class StatementResult(IteratorResult[R]):
    """The rows of an executed statement. `rowcount`: how many rows it found or changed, -1 if the driver is silent."""

    def __init__(self, rows: Iterator[Any], metadata: SimpleResultMetaData, rowcount: int) -> None:
        super().__init__(metadata, rows)
        self.rowcount = rowcount

    @classmethod
    def empty(cls, rowcount: int) -> "StatementResult[Any]":
        """Make the result of a statement that returns no rows."""
        return cls(iter(()), _NO_COLUMNS, rowcount)

    @property
    def returns_rows(self) -> bool:
        """Whether the statement can return rows."""
        return bool(self._metadata.keys)


class _Given(Frozen, kw_only=False):
    """Stands for the value that the caller will give under this key."""

    key: str


class BoundStatement(Frozen, kw_only=False):
    """SQL of a driver with its values."""

    sql: str
    values: Sequence[Any]
    metadata: SimpleResultMetaData | None  # None: plain text, of which only the driver knows the columns
    table: str | None  # that an INSERT, UPDATE or DELETE changes
    is_plain_read: bool  # a SELECT without a lock
    has_with: bool  # begins with a WITH

    @property
    def returns_rows(self) -> bool:
        """Whether it can return rows."""
        return self.metadata is None or bool(self.metadata.keys)

    def result(self, rows: Sequence[Any], rowcount: int, names: Sequence[str]) -> StatementResult[Any]:
        """Make the result of the driver's rows, whose columns it names so."""
        return StatementResult(iter(rows), self.metadata or SimpleResultMetaData(names), rowcount)


class _Plan:
    """A compiled statement: what does not depend on its values."""

    def __init__(self, compiled: SQLCompiler, dialect: Dialect) -> None:
        # What SQLAlchemy's own execution context reads of it too; public is only what serves one execution.
        self._compiled = compiled
        self.sql = compiled.string
        statement = compiled.statement
        table = statement.table if isinstance(statement, UpdateBase) else None
        self.table = table.name if isinstance(table, Table) else None
        self.is_plain_read = isinstance(statement, Select) and statement._for_update_arg is None  # noqa: SLF001 - see above
        self.has_with = self.sql.startswith(WITH)
        self._positions: Sequence[str] = compiled.positiontup or ()
        self._processors = cast("Mapping[str, Processor]", compiled._bind_processors)  # noqa: SLF001 - see above
        self._is_expanded = bool(compiled.post_compile_params or compiled.literal_execute_params)
        self._defaults = {
            compiled._within_exec_param_key_getter(column): column.default.arg  # noqa: SLF001 - see above
            for column in compiled.insert_prefetch
            if isinstance(column.default, ColumnDefault) and column.default.is_scalar
        }
        self.metadata = None if compiled.isplaintext else self._describe(compiled, dialect)

    @staticmethod
    def _describe(compiled: SQLCompiler, dialect: Dialect) -> SimpleResultMetaData:
        is_change = compiled.isinsert or compiled.isupdate or compiled.isdelete
        columns = [] if is_change and not compiled.effective_returning else compiled._result_columns  # noqa: SLF001 - see above
        processors = [column.type._cached_result_processor(dialect, None) for column in columns]  # noqa: SLF001 - see above
        return SimpleResultMetaData(
            [column.keyname for column in columns], _processors=processors if any(processors) else None
        )

    def bind(self, params: Params, extracted: Any) -> BoundStatement:  # noqa: ANN401 - SQLAlchemy's
        """Bind values; `extracted` are those that stand in the statement itself."""
        values = self._values(params, extracted)
        if not self._is_expanded:
            return self._bound(self.sql, [self._processed(name, values[name]) for name in self._positions])
        expanded = self._compiled._process_parameters_for_postcompile(values)  # noqa: SLF001 - see `__init__`
        processors = {**self._processors, **expanded.processors}
        positions = expanded.positiontup or ()
        merged = {**values, **expanded.additional_parameters}
        ordered = [processors[name](merged[name]) if name in processors else merged[name] for name in positions]
        return self._bound(expanded.statement, ordered)

    def _bound(self, sql: str, values: Sequence[Any]) -> BoundStatement:
        return BoundStatement(sql, values, self.metadata, self.table, self.is_plain_read, self.has_with)

    def template(self, keys: Sequence[str], extracted: Any) -> "_Template | None":  # noqa: ANN401 - SQLAlchemy's
        """Return what binds further values to the same statement, or None if its SQL depends on them."""
        if self._is_expanded:
            return None
        values = self._values({key: _Given(key) for key in keys}, extracted)
        parts: list[tuple[str | None, Any]] = []
        for name in self._positions:
            value = values[name]
            if isinstance(value, _Given):
                parts.append((value.key, self._processors.get(name)))
            else:
                parts.append((None, self._processed(name, value)))
        return _Template(self, tuple(parts))

    def _values(self, params: Params, extracted: Any) -> dict[str, Any]:  # noqa: ANN401 - SQLAlchemy's
        values = self._compiled.construct_params(params, extracted_parameters=extracted, escape_names=False)
        return {**values, **self._defaults}

    def _processed(self, name: str, value: Any) -> Any:  # noqa: ANN401 - of any type
        processor = self._processors.get(name)
        return value if processor is None else processor(value)


class _Template:
    """A statement object that is executed again and again. A part is a caller's key with its processor, or a value."""

    __slots__ = ("parts", "plan")

    def __init__(self, plan: _Plan, parts: tuple[tuple[str | None, Any], ...]) -> None:
        self.plan, self.parts = plan, parts

    def bind(self, params: Params) -> BoundStatement:
        """Bind a caller's values."""
        values = [
            rest if key is None else params[key] if rest is None else rest(params[key]) for key, rest in self.parts
        ]
        plan = self.plan
        return BoundStatement(plan.sql, values, plan.metadata, plan.table, plan.is_plain_read, plan.has_with)


class StatementCompiler:
    """The compiled statements of one dialect."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._compiled = cast("CompiledCacheType", LRUCache(MAX_COMPILED))
        self._plans: WeakKeyDictionary[Any, _Plan] = WeakKeyDictionary()
        # By statement object and the keys of its values. An object that was executed once may never be again.
        self._templates: WeakKeyDictionary[Executable, dict[tuple[str, ...], _Template | None]] = WeakKeyDictionary()

    def bind(self, statement: Executable, params: Params) -> BoundStatement:
        """Bind values to a statement."""
        keys = tuple(params)
        known = self._templates.get(statement)
        if known is not None and (template := known.get(keys)) is not None:
            return template.bind(params)
        plan, extracted = self._plan(statement, sorted(keys))
        if known is None:
            self._templates[statement] = {}
        else:
            known[keys] = plan.template(keys, extracted)
        return plan.bind(params, extracted)

    def bind_many(self, statement: Executable, rows: Sequence[Params]) -> list[BoundStatement]:
        """Bind each of several rows of values, which have the same keys, to a statement."""
        keys = tuple(rows[0])
        plan, extracted = self._plan(statement, sorted(keys))
        template = plan.template(keys, extracted)
        if template is None:
            raise ValueError("a statement whose SQL depends on its values is executed once at a time")
        return [template.bind(row) for row in rows]

    def _plan(self, statement: Executable, keys: list[str]) -> tuple[_Plan, Any]:
        # With `for_executemany` an INSERT returns only what it is told to return
        compiled, extracted, _ = statement._compile_w_cache(  # noqa: SLF001 - as SQLAlchemy's own connection does
            self._dialect, compiled_cache=self._compiled, column_keys=keys, for_executemany=True
        )
        plan = self._plans.get(compiled)
        if plan is None:
            plan = self._plans[compiled] = _Plan(cast("SQLCompiler", compiled), self._dialect)
        return plan, extracted


def row_of(table: Table, values: Mapping[str, Any]) -> Row[Any]:
    """Return the row that an INSERT of these values stores, so that it need not be read again."""
    metadata, defaults = _metadata_and_defaults(table)
    columns = tuple({**defaults, **values}.values())  # in the order of the defaults, which are of all columns
    return Row(metadata, None, metadata._key_to_index, columns)  # noqa: SLF001 - as a result makes its rows


@cache
def _metadata_and_defaults(table: Table) -> tuple[SimpleResultMetaData, Mapping[str, Any]]:
    return SimpleResultMetaData(table.columns.keys()), {column.name: _default_of(column) for column in table.columns}


def _default_of(column: Column[Any]) -> Any:  # noqa: ANN401 - of any type
    return column.default.arg if isinstance(column.default, ColumnDefault) and column.default.is_scalar else None
