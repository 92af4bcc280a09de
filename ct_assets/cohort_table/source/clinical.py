"""The clinical table of a collection: which patients belong to the cohort, such as NLST's `can_scr = 1`."""

from functools import partial
from pathlib import Path

import ibis.expr.types as ir
from ibis.backends.duckdb import Backend

from ct_assets.selection_settings import BIGQUERY_PREFIX, Clinical


class ClinicalTableError(ValueError):
    """A clinical table that cannot be used; the message names it, the column and the remedy."""


def in_bigquery(clinical: Clinical) -> bool:
    """Tell whether the table is in BigQuery."""
    return clinical.location.startswith(BIGQUERY_PREFIX)


def read_clinical(backend: Backend, clinical: Clinical) -> ir.Table:
    """Open a clinical table that is a file.

    Parameters
    ----------
    backend : Backend
        DuckDB.
    clinical : Clinical
        CSV or Parquet, by its suffix.

    Raises
    ------
    ClinicalTableError
        If the file is missing, is of another kind, cannot be read, or lacks a column.
    """
    if in_bigquery(clinical):
        message = f"clinical table {clinical.location} needs a source of kind bigquery; give a CSV or Parquet file"
        raise ClinicalTableError(message)
    path = Path(clinical.location).expanduser()
    if not path.is_file():
        message = f"clinical table {path} does not exist; put it there, or change selection.clinical.table"
        raise ClinicalTableError(message)
    readers = {".csv": partial(backend.read_csv, all_varchar=True), ".parquet": backend.read_parquet}
    if path.suffix.lower() not in readers:
        message = f"clinical table {path} is neither .csv nor .parquet; convert it"
        raise ClinicalTableError(message)
    try:
        table = readers[path.suffix.lower()](str(path))
    except Exception as error:
        message = f"clinical table {path} cannot be read ({type(error).__name__}: {error}); mend or replace it"
        raise ClinicalTableError(message) from error
    for column in (clinical.patient_id, clinical.column):
        if column not in table.columns:
            message = (
                f"clinical table {path} has no column {column}; it has {', '.join(table.columns[:30])}: "
                "change selection.clinical"
            )
            raise ClinicalTableError(message)
    return table


def patients(table: ir.Table, clinical: Clinical) -> ir.Table:
    """Return which patients are in the cohort.

    Parameters
    ----------
    table : ibis Table
        Clinical table on either engine, one or more rows per patient.
    clinical : Clinical
        Its columns and the values that decide.

    Returns
    -------
    ibis Table
        `PatientID` and `in_cohort`: whether any row of the patient has one of the values.
    """
    wanted = [_text(value) for value in clinical.values]
    rows = table.select(PatientID=_as_text(table[clinical.patient_id]), value=_as_text(table[clinical.column]))
    rows = rows.filter(rows["PatientID"].notnull())
    return rows.group_by("PatientID").agg(in_cohort=rows["value"].isin(wanted).fill_null(False).max())


def _as_text(column: ir.Column) -> ir.StringColumn:
    """Values as text, whole numbers without a decimal point: a column with gaps is often written as decimals."""
    if column.type().is_floating():
        whole = column.try_cast("int64")
        return (whole == column).fill_null(False).ifelse(whole.cast("string"), column.cast("string"))
    text = column.cast("string")
    return text.strip().re_replace(r"^(-?[0-9]+)\.0*$", r"\1") if column.type().is_string() else text


def _text(value: str | float) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
