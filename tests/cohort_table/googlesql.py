"""GoogleSQL, BigQuery's language: Google's own analyzer and reference evaluator, over rows given by the test.

The package `zetasql` has them as WebAssembly; its messages are used here directly, because its helpers cannot pass
arrays. Compiling takes half a minute, once per machine: the result is in wasmtime's cache.
"""

import ctypes
import math
import re
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import pandas as pd
import pyarrow as pa
import wasmtime
from google.protobuf.message import Message
from zetasql.wasi import get_wasm_path
from zetasql.wasi._pb2.zetasql.local_service import local_service_pb2 as service
from zetasql.wasi._pb2.zetasql.proto import options_pb2, simple_catalog_pb2
from zetasql.wasi._pb2.zetasql.public import options_pb2 as public_options
from zetasql.wasi._pb2.zetasql.public import type_pb2, value_pb2

Rows = pa.Table | pd.DataFrame | Iterable[Mapping[str, Any]]
Tables = Mapping[str, tuple[Mapping[str, str], Rows]]
"""Full name such as project.dataset.table -> Ibis types by column, and rows; what a row lacks is null.

A struct<name: type, ...> has scalars; its value is a mapping.
"""

_SCALARS = {
    "string": (type_pb2.TYPE_STRING, "string_value"),
    "int64": (type_pb2.TYPE_INT64, "int64_value"),
    "float64": (type_pb2.TYPE_DOUBLE, "double_value"),
    "boolean": (type_pb2.TYPE_BOOL, "bool_value"),
}
_KINDS = {kind: name for name, (kind, _) in _SCALARS.items()}
_ARRAY = re.compile(r"array<(\w+)>")
_STRUCT = re.compile(r"struct<(.+)>")


class GoogleSqlError(Exception):
    """SQL that BigQuery would refuse, or a value at which its evaluation ends."""


@dataclass(frozen=True)
class Answer:
    """Rows of a query: Ibis type by column, and values, null as None."""

    columns: dict[str, str]
    rows: list[list[Any]]


def run(sql: str, tables: Tables) -> pd.DataFrame:
    """Return the rows of a query, columns of Python values: null is None, and an integer stays one beside nulls."""
    answer = evaluate(sql, tables)
    frame = pd.DataFrame(answer.rows, columns=list(answer.columns), dtype=object)
    return frame.astype(object).where(frame.notna() | frame.map(_is_nan), None)


def evaluate(sql: str, tables: Tables) -> Answer:
    """Return the rows of a query with their types."""
    request = service.EvaluateQueryRequest(sql=_with_whole_names(sql, tables))
    request.options.language_options.CopyFrom(_language())
    catalog = simple_catalog_pb2.SimpleCatalogProto(name="bigquery")
    catalog.builtin_function_options.language_options.CopyFrom(_language())
    for name, (columns, rows) in tables.items():
        table = catalog.table.add(name=name)
        for column, kind in columns.items():
            _set_type(table.column.add(name=column).type, kind)
        content = request.table_content[name].table_data
        content.SetInParent()  # a table without rows has content
        for row in _records(rows):
            cells = content.row.add().cell
            for column, kind in columns.items():
                _set_value(cells.add(), row.get(column), kind)
    request.simple_catalog.CopyFrom(catalog)
    response = _engine().call("EvaluateQuery", request, service.EvaluateQueryResponse())
    columns = {column.name: _kind(column.type) for column in response.prepared.columns}
    assert len(columns) == len(response.prepared.columns), "columns of one name"
    kinds = list(columns.values())
    rows = [
        [_value(cell, kind) for cell, kind in zip(row.cell, kinds, strict=True)]
        for row in response.content.table_data.row
    ]
    return Answer(columns, rows)


def _with_whole_names(sql: str, tables: Tables) -> str:
    """Quote each table's name as a whole, which means the same in BigQuery: the evaluator has no projects."""
    for name in tables:
        sql = sql.replace(".".join(f"`{part}`" for part in name.rsplit(".", 2)), f"`{name}`")
    return sql


def _records(rows: Rows) -> Iterable[Mapping[str, Any]]:
    if isinstance(rows, pd.DataFrame):
        rows = pa.Table.from_pandas(rows, preserve_index=False)
    return rows.to_pylist() if isinstance(rows, pa.Table) else rows


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _set_type(proto: Message, kind: str) -> None:
    if array := _ARRAY.fullmatch(kind):
        proto.type_kind = type_pb2.TYPE_ARRAY
        _set_type(proto.array_type.element_type, array[1])
    elif struct := _STRUCT.fullmatch(kind):
        proto.type_kind = type_pb2.TYPE_STRUCT
        for name, field in _fields(struct[1]).items():
            _set_type(proto.struct_type.field.add(field_name=name).field_type, field)
    else:
        proto.type_kind = _SCALARS[kind][0]


def _kind(proto: Message) -> str:
    if proto.type_kind == type_pb2.TYPE_ARRAY:
        return f"array<{_kind(proto.array_type.element_type)}>"
    if proto.type_kind == type_pb2.TYPE_STRUCT:
        return f"struct<{', '.join(f'{f.field_name}: {_kind(f.field_type)}' for f in proto.struct_type.field)}>"
    return _KINDS[proto.type_kind]


def _set_value(cell: value_pb2.ValueProto, value: Any, kind: str) -> None:
    if value is None:
        return
    if array := _ARRAY.fullmatch(kind):
        cell.array_value.SetInParent()  # an empty array is not null
        for element in value:
            _set_value(cell.array_value.element.add(), element, array[1])
    elif struct := _STRUCT.fullmatch(kind):
        cell.struct_value.SetInParent()  # a struct of nulls is not null
        for name, field in _fields(struct[1]).items():
            _set_value(cell.struct_value.field.add(), value.get(name), field)
    else:
        setattr(cell, _SCALARS[kind][1], value)


def _value(cell: value_pb2.ValueProto, kind: str) -> Any:
    if cell.WhichOneof("value") is None:
        return None
    if array := _ARRAY.fullmatch(kind):
        return [_value(element, array[1]) for element in cell.array_value.element]
    if struct := _STRUCT.fullmatch(kind):
        fields = zip(_fields(struct[1]).items(), cell.struct_value.field, strict=True)
        return {name: _value(value, field) for (name, field), value in fields}
    return getattr(cell, _SCALARS[kind][1])


def _fields(text: str) -> dict[str, str]:
    return {name: kind for name, _, kind in (part.partition(": ") for part in text.split(", "))}


class _Engine:
    """The WebAssembly module; one call at a time."""

    def __init__(self) -> None:
        config = wasmtime.Config()
        config.cache = True
        config.shared_memory = True
        engine = wasmtime.Engine(config)
        wasi = wasmtime.WasiConfig()
        wasi.inherit_stderr()
        wasi.preopen_dir(str(files("tzdata") / "zoneinfo"), "/usr/share/zoneinfo")
        self._lock = threading.Lock()
        self._store = wasmtime.Store(engine)
        self._store.set_wasi(wasi)
        linker = wasmtime.Linker(engine)
        linker.define_wasi()
        instance = linker.instantiate(self._store, wasmtime.Module.from_file(engine, get_wasm_path()))
        self._exports = instance.exports(self._store)
        self._do("_initialize")

    def call(self, method: str, request: Message, response: Message) -> Any:
        """Send a message to the local service and return its answer."""
        data = request.SerializeToString()
        with self._lock:
            place, size_place = self._do("wasm_malloc", len(data)), self._do("wasm_malloc", 4)
            ctypes.memmove(self._address(place), data, len(data))
            answer = self._do(f"ZetaSqlLocalService_{method}", place, len(data), size_place)
            size = int.from_bytes(self._read(size_place, 4), "little")
            self._do("wasm_free", place)
            self._do("wasm_free", size_place)
            if not answer:
                raise GoogleSqlError(self._last_error())
            response.ParseFromString(self._read(answer, size))
            self._do("wasm_free", answer)
        return response

    def _do(self, function: str, *arguments: int) -> Any:
        return self._exports[function](self._store, *arguments)

    def _read(self, place: int, size: int) -> bytes:
        return ctypes.string_at(self._address(place), size)

    def _address(self, place: int) -> int:
        return ctypes.addressof(self._exports["memory"].data_ptr().contents) + place

    def _last_error(self) -> str:
        return self._read(self._do("wasm_get_last_error"), self._do("wasm_get_last_error_size")).decode()


@cache
def _engine() -> _Engine:
    return _Engine()


@cache
def _language() -> options_pb2.LanguageOptionsProto:
    """What BigQuery has of the language, as far as these queries need it: nothing that is still being developed."""
    request = service.LanguageOptionsRequest(language_version=public_options.VERSION_CURRENT)
    language = _engine().call("GetLanguageOptions", request, options_pb2.LanguageOptionsProto())
    language.product_mode = public_options.PRODUCT_EXTERNAL  # INT64 and FLOAT64 are the only numbers
    language.enabled_language_features.append(public_options.FEATURE_ANALYTIC_FUNCTIONS)
    return language
