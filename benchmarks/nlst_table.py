"""An instance table of NLST's size: its 203,087 series with their real UIDs and counts, and instances that we make.

UIDs, studies, patients and numbers of images are those of the package idc-index-data. Positions, orientations, image
types and the defects in some of them are made up, because no metadata of NLST's instances can be had here.
"""

import sys
from pathlib import Path

import duckdb
import idc_index_data

_SERIES = """
CREATE TEMP TABLE series AS
SELECT SeriesInstanceUID, StudyInstanceUID, PatientID, SeriesDescription, crdc_series_uuid, instanceCount AS slices,
  row_number() OVER (ORDER BY crdc_series_uuid) AS place,
  (hash(SeriesInstanceUID) % 1000)::INT AS kind,
  [1.0, 1.25, 1.8, 2.0, 2.5, 2.5, 2.5, 5.0][1 + (hash(SeriesInstanceUID, 1) % 8)::INT] AS gap,
  CASE WHEN hash(SeriesInstanceUID, 2) % 2 = 0 THEN 1 ELSE -1 END AS direction,
  0.5 + (hash(SeriesInstanceUID, 3) % 400) / 1000.0 AS pixel
FROM read_parquet(?)
WHERE collection_id = 'nlst' AND Modality = 'CT' AND analysis_result_id IS NULL
"""

# Of 1,000 series about: 8 with a localizer in front, 13 derived, 5 tilted, 20 with a missing slice, 14 with every slice
# twice, 5 with one slice moved sideways, 6 with alternating gaps, 130 with noise below the tolerance, 4 with a second
# orientation, 2 with a second pixel spacing, 1 without thickness, 1 with a second image size; and all of up to 3 images
# are localizers.
_INSTANCES = """
COPY (
  SELECT PatientID, StudyInstanceUID, SeriesInstanceUID,
    '1.2.840.113654.2.55.' || lpad((hash(SeriesInstanceUID, i, 1) % 100000000000000000)::VARCHAR, 17, '1')
      || lpad((hash(SeriesInstanceUID, i, 2) % 100000000000000000)::VARCHAR, 17, '0') AS SOPInstanceUID,
    '1.2.840.10008.5.1.4.1.1.2' AS SOPClassUID, 'CT' AS Modality, SeriesDescription,
    CASE WHEN slices < 4 OR (kind < 8 AND i = 0) THEN ['ORIGINAL', 'PRIMARY', 'LOCALIZER']
      WHEN kind BETWEEN 8 AND 20 THEN ['DERIVED', 'SECONDARY', 'AXIAL']
      ELSE ['ORIGINAL', 'PRIMARY', 'AXIAL'] END AS ImageType,
    [format('{:.6f}', -180.0 + CASE WHEN kind BETWEEN 60 AND 64 AND i = 5 THEN 12 ELSE 0 END),
     format('{:.6f}', -180.0 + CASE WHEN kind BETWEEN 21 AND 25 THEN 0.2 * i * gap ELSE 0 END),
     format('{:.6f}', direction * (-300 + gap * (
        CASE WHEN kind BETWEEN 26 AND 45 AND i > slices // 2 THEN i + 1
          WHEN kind BETWEEN 46 AND 59 THEN i // 2
          WHEN kind BETWEEN 65 AND 70 AND i % 2 = 0 THEN i + 0.3 ELSE i END)
        + CASE WHEN kind BETWEEN 71 AND 200 THEN 0.0004 * (i % 3) ELSE 0 END))] AS ImagePositionPatient,
    CASE WHEN kind BETWEEN 201 AND 204 AND i > 3
      THEN ['1.000000', '0.000000', '0.000000', '0.000000', '0.990000', '0.141067']
      ELSE ['1.000000', '0.000000', '0.000000', '0.000000', '1.000000', '0.000000'] END AS ImageOrientationPatient,
    CASE WHEN kind BETWEEN 205 AND 206 AND i = 1 THEN ['0.9', '0.9']
      ELSE [format('{:.6f}', pixel), format('{:.6f}', pixel)] END AS PixelSpacing,
    CASE WHEN kind = 207 THEN NULL ELSE format('{:.6f}', gap) END AS SliceThickness,
    512::BIGINT AS "Rows", CASE WHEN kind = 208 AND i = 0 THEN 256 ELSE 512 END::BIGINT AS "Columns",
    NULL::BIGINT AS NumberOfFrames, StudyInstanceUID || '.1' AS FrameOfReferenceUID,
    NULL::VARCHAR[] AS ReferencedSeriesInstanceUID,
    526000 + (hash(i, SeriesInstanceUID) % 2000)::BIGINT AS instance_size,
    crdc_series_uuid || '/' || md5(SeriesInstanceUID || i::VARCHAR) || '.dcm' AS file,
    NULL::BIGINT AS file_mtime_ns, NULL::VARCHAR AS problem, NULL::VARCHAR AS copy_of
  FROM (SELECT *, unnest(range(slices)) AS i FROM series)
  ORDER BY place, hash(SeriesInstanceUID, i)
) TO '{target}' (FORMAT parquet, COMPRESSION zstd)
"""

_PATIENTS = """
COPY (SELECT DISTINCT PatientID AS pid, (hash(PatientID) % 4 = 0)::INT AS can_scr FROM series ORDER BY pid)
TO '{target}' (HEADER)
"""


def write_nlst(instances: Path, patients: Path) -> None:
    """Write the instance table as Parquet, and a clinical table as CSV: one in four patients has can_scr = 1.

    The images of a series lie together in the order of their names, which is that of random UUIDs in IDC's buckets.

    Parameters
    ----------
    instances, patients : Path
        Files to write.
    """
    with duckdb.connect() as connection:
        connection.execute("SET memory_limit = '8GB'")
        connection.execute(_SERIES, [str(idc_index_data.IDC_INDEX_PARQUET_FILEPATH)])
        connection.execute(_INSTANCES.replace("{target}", str(instances)))
        connection.execute(_PATIENTS.replace("{target}", str(patients)))


if __name__ == "__main__":
    write_nlst(*map(Path, sys.argv[1:3]))
