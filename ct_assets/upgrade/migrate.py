"""Bring one file of a store to the version of today, or say why it stays as it is."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from ct_assets.store.table import Table
from ct_assets.upgrade.kinds import StoredFile
from ct_assets.upgrade.steps import STEPS, Content, NeedsComputationError, Step

_OF_THE_TABLE = {b"table", b"schema_version", b"pandas"}


class State(StrEnum):
    """What a file is, seen from this version of ct-assets."""

    CURRENT = "current"
    MIGRATED = "migrated"
    NEEDS_COMPUTATION = "needs computation"
    NEWER = "newer"
    DAMAGED = "damaged"


@dataclass(frozen=True)
class Result:
    """What became of a file; ``version`` is the one that was found, ``reason`` why it was left."""

    file: StoredFile
    state: State
    version: int | None = None
    reason: str = ""


def upgrade_file(file: StoredFile, *, dry_run: bool = False, steps: Mapping[tuple[str, int], Step] = STEPS) -> Result:
    """Bring a file to the version of today.

    All steps are taken in memory, then the file is replaced at once: a killed process leaves the old one or the new.

    Parameters
    ----------
    file : StoredFile
        The file.
    dry_run : bool, default False
        Write nothing.
    steps : mapping
        The steps that there are.

    Returns
    -------
    Result
        What became of it; only a file of an earlier version is ever written.
    """
    kind = file.kind
    try:
        version = _version(file)
        if version > kind.version:
            return Result(file, State.NEWER, version, f"version {version}; this ct-assets knows {kind.version}")
        if version == kind.version:
            _check_current(file)
            return Result(file, State.CURRENT, version)
        content = _read(file)
        for step in range(version, kind.version):
            content = _step(steps, kind.name, step)(content)
        if not dry_run:
            _write(file, content)
    except NeedsComputationError as error:
        return Result(file, State.NEEDS_COMPUTATION, version, str(error))
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        return Result(file, State.DAMAGED, reason=reason or type(error).__name__)
    return Result(file, State.MIGRATED, version)


def _step(steps: Mapping[tuple[str, int], Step], name: str, version: int) -> Step:
    return steps.get((name, version), Step(lost=f"version {version} was never released"))


def _version(file: StoredFile) -> int:
    """Return the version of a file by its footer or its schema_version.

    Raises
    ------
    ValueError
        If it is something else than its name says.
    """
    if not isinstance(file.kind.content, Table):
        return _number(_json(file).get("schema_version"))
    metadata = pq.read_schema(file.path).metadata or {}
    name = metadata.get(b"table", b"").decode()
    if name != file.kind.name:
        message = f"is table {name or 'unknown'}, not {file.kind.name}"
        raise ValueError(message)
    return _number(metadata.get(b"schema_version", b"").decode())


def _number(version: Any) -> int:
    if not str(version).isdecimal() or isinstance(version, bool) or int(version) < 1:
        message = f"has no schema_version ({version!r})"
        raise ValueError(message)
    return int(version)


def _json(file: StoredFile) -> dict[str, Any]:
    content = json.loads(file.path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        message = "is no JSON object"
        raise ValueError(message)  # what is in the file is wrong, not what the code was given
    return content


def _check_current(file: StoredFile) -> None:
    content = file.kind.content
    if isinstance(content, Table):
        if pq.read_schema(file.path).names != list(content.columns):
            message = f"has other columns than version {content.version}"
            raise ValueError(message)
    elif content is not None:
        content.model_validate(_json(file))


def _read(file: StoredFile) -> Content:
    return pq.read_table(file.path) if isinstance(file.kind.content, Table) else _json(file)


def _write(file: StoredFile, content: Any) -> None:
    target = file.kind.content
    assert target is not None, f"{file.kind.name}: no step leads to it"
    if isinstance(target, Table):
        kept = {key: value for key, value in (content.schema.metadata or {}).items() if key not in _OF_THE_TABLE}
        target.write(content, file.path, {key.decode(): value.decode() for key, value in kept.items()})
    else:
        target.model_validate({**content, "schema_version": file.kind.version}).write(file.path)
