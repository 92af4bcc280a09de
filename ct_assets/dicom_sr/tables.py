"""The three tables of measurements of a series, parsed from its SRs."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pyarrow as pa

from ct_assets.dicom_sr.read import MeasurementReport, read_report
from ct_assets.dicom_sr.rows import Row, group_rows, qualitative_rows, quantitative_rows
from ct_assets.store.paths import SeriesFolder
from ct_assets.store.table import Table
from ct_assets.store.tables import MEASUREMENT_GROUPS, QUALITATIVE_MEASUREMENTS, QUANTITATIVE_MEASUREMENTS

MEASUREMENT_TABLES: tuple[
    tuple[Table, Callable[[MeasurementReport], Iterator[Row]], Callable[[SeriesFolder], Path]], ...
] = (
    (MEASUREMENT_GROUPS, group_rows, lambda folder: folder.measurement_groups),
    (QUANTITATIVE_MEASUREMENTS, quantitative_rows, lambda folder: folder.quantitative_measurements),
    (QUALITATIVE_MEASUREMENTS, qualitative_rows, lambda folder: folder.qualitative_measurements),
)
"""Each table, how its rows follow from a report, and its file."""


def measurement_tables(reports: Iterable[MeasurementReport]) -> dict[str, pa.Table]:
    """Return the tables of some reports by name; without any report they are empty.

    Parameters
    ----------
    reports : iterable of MeasurementReport
        The reports.
    """
    reports = list(reports)
    return {
        table.name: pa.Table.from_pylist([row for report in reports for row in rows(report)], schema=table.schema)
        for table, rows, _ in MEASUREMENT_TABLES
    }


def write_measurement_tables(folder: SeriesFolder) -> dict[str, int]:
    """Parse all SRs of a series, and write the tables, each atomically.

    Parameters
    ----------
    folder : SeriesFolder
        The series.

    Returns
    -------
    dict of str to int
        Rows by table.

    Raises
    ------
    UnusableReportError
        If an SR cannot be read; then no table is written.
    """
    tables = measurement_tables(read_report(path) for path in folder.reports)
    for table, _, path in MEASUREMENT_TABLES:
        table.write(tables[table.name], path(folder))
    return {name: rows.num_rows for name, rows in tables.items()}
