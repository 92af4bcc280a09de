"""Copies: the same image in several files of a header index, of which one stands for all."""

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

_COPIES = """
WITH images AS (
    SELECT * FROM instances WHERE "Modality" = 'CT' AND "SOPInstanceUID" IS NOT NULL
), repeated AS (
    SELECT hash("SOPInstanceUID") AS uid FROM images GROUP BY uid HAVING count(*) > 1
), judged AS (
    SELECT file, first_value(file) OVER (
        PARTITION BY "SOPInstanceUID", "SeriesInstanceUID", "Rows",
            TRY_CAST("ImagePositionPatient" AS DOUBLE[]), TRY_CAST("ImageOrientationPatient" AS DOUBLE[])
        ORDER BY problem IS NOT NULL, file
    ) AS copy_of
    FROM images SEMI JOIN repeated ON hash(images."SOPInstanceUID") = repeated.uid
)
SELECT file, copy_of FROM judged WHERE file <> copy_of
"""


def with_copies(instances: pa.Table) -> pa.Table:
    """Fill `copy_of` of a header index.

    CT images with the same SOPInstanceUID, series and place in the patient are copies. The first file without a
    problem stands for them, or the first. Files that share a SOPInstanceUID but not their place are no copies: such a
    conflict must show.

    Parameters
    ----------
    instances : pyarrow.Table
        Header index, in which no file is listed twice.

    Returns
    -------
    pyarrow.Table
        The same rows; `copy_of` is null except in copies.
    """
    with duckdb.connect() as connection:
        connection.register("instances", instances.drop_columns(["copy_of"]))
        copies = connection.sql(_COPIES).to_arrow_table()
    column = instances.schema.get_field_index("copy_of")
    field = instances.schema.field(column)
    if copies.num_rows == 0:
        return instances.set_column(column, field, pa.nulls(len(instances), field.type))
    rows = pc.index_in(instances["file"], value_set=copies["file"])
    return instances.set_column(column, field, copies["copy_of"].take(rows).cast(field.type))
