"""`ct-assets annotate` as a test calls it, and the files that it makes."""

from pathlib import Path

from click.testing import CliRunner, Result

from ct_assets.cli.main import main

SERIES_FILES = [
    "bpr.json",
    "bpr_record.json",
    "complete.json",
    "ct.json",
    "ct.nii.gz",
    "landmarks.parquet",
    "organ_seg/3d_fullres.json",
    "organ_seg/3d_fullres.nii.gz",
    "qc.html",
    "qc.parquet",
    "regions.parquet",
    "seg/3d_fullres.dcm",
    "seg/objects.json",
    "shape_features.parquet",
    "sr/3d_fullres_features.dcm",
    "sr/landmarks.dcm",
    "sr/measurement_groups.parquet",
    "sr/objects.json",
    "sr/qualitative_measurements.parquet",
    "sr/quantitative_measurements.parquet",
    "sr/regions.dcm",
]
"""Every file of a series in the design's table, for one model."""

COHORT_FILES = [
    "changed_series.json",
    "characteristics.parquet",
    "cohort.parquet",
    "distributions.parquet",
    "instances.parquet",
    "manifest.json",
    "qc.parquet",
    "report.html",
    "selection_flow.parquet",
    "shape_features.parquet",
]

REPORT_FILES = {"distributions.parquet", "qc.parquet", "report.html", "shape_features.parquet"}


def files_below(folder: Path) -> list[str]:
    """Paths of the files below a folder, relative to it."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def annotate(*arguments: object) -> Result:
    """Run the command; what it raises beyond its own errors is raised."""
    return CliRunner().invoke(main, ["annotate", *map(str, arguments)], catch_exceptions=False)
