"""Errors and exit codes of the command line."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import click

from ct_assets.cohort_report.from_table import TableError
from ct_assets.cohort_table.index.header_index import EmptySourceError
from ct_assets.cohort_table.manifest import ManifestError
from ct_assets.cohort_table.source.clinical import ClinicalTableError
from ct_assets.cohort_table.source.idc_metadata import UnknownCollectionError
from ct_assets.cohort_table.source.judged import NoCtError
from ct_assets.ct_nifti.record import UnfitSeriesError
from ct_assets.ct_nifti.structure import UnusableSegmentationError
from ct_assets.dicom.written import NothingWrittenError
from ct_assets.export.errors import ExportError, NoSuchSegmentationError
from ct_assets.review.record import ReviewError
from ct_assets.store.in_use import FolderInUseError
from ct_assets.store.record import RecordError
from ct_assets.store.uid import InvalidUidError
from ct_assets.yaml_model import CollectionError
from resources.archive_members import ModelArchiveError
from resources.cloud_clients import RemoteError
from resources.model_download import NoSpaceError
from resources.model_install import ModelInstallError
from resources.warehouse import WarehouseError

EXIT_INCOMPLETE = 3
"""Exit code when some of what was asked for could be done, and some not."""

_EXPECTED = (
    CollectionError,
    ClinicalTableError,
    EmptySourceError,
    ExportError,
    FolderInUseError,
    ManifestError,
    ModelArchiveError,
    ModelInstallError,
    NoCtError,
    NoSpaceError,
    NoSuchSegmentationError,
    NothingWrittenError,
    InvalidUidError,
    RecordError,
    OSError,  # ModelMissingError and SourceUnavailableError are among them
    RemoteError,
    ReviewError,
    TableError,
    UnfitSeriesError,
    UnknownCollectionError,
    UnusableSegmentationError,
    WarehouseError,
)


@contextmanager
def clear_errors() -> Iterator[None]:
    """Turn expected errors into one line; anything else is a defect and keeps its traceback."""
    try:
        yield
    except _EXPECTED as error:
        logging.getLogger(__name__).debug("refused", exc_info=error)
        raise click.ClickException(str(error)) from error
