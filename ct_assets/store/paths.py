"""The layout of the store: the name of every file that the platform makes."""

import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from ct_assets.store.uid import checked_uid


@dataclass(frozen=True)
class SeriesFolder:
    """Local folder of one series; its properties name the files of the assets."""

    path: Path

    @property
    def series_instance_uid(self) -> str:
        """SeriesInstanceUID of the CT series."""
        return self.path.name

    @property
    def ct_nifti(self) -> Path:
        """CT volume."""
        return self.path / "ct.nii.gz"

    @property
    def ct_record(self) -> Path:
        """Fitness, geometry and the table slice -> SOPInstanceUID."""
        return self.path / "ct.json"

    def label_map(self, model: str) -> Path:
        """Label map of one segmentation model."""
        return self.path / "organ_seg" / f"{model}.nii.gz"

    def label_map_record(self, model: str) -> Path:
        """Provenance and organ volumes of one label map."""
        return self.path / "organ_seg" / f"{model}.json"

    @property
    def label_map_records(self) -> list[Path]:
        """The records of label maps that there are, by name; not what a killed run left of one."""
        return sorted(path for path in (self.path / "organ_seg").glob("*.json") if not path.name.startswith("."))

    @property
    def bpr_json(self) -> Path:
        """Slice scores and regions with bpreg's own keys."""
        return self.path / "bpr.json"

    @property
    def bpr_record(self) -> Path:
        """Provenance, lung extent and findings of the body part regression."""
        return self.path / "bpr_record.json"

    @property
    def landmarks(self) -> Path:
        """Landmark table."""
        return self.path / "landmarks.parquet"

    @property
    def regions(self) -> Path:
        """Region table."""
        return self.path / "regions.parquet"

    @property
    def shape_features(self) -> Path:
        """Shape feature table."""
        return self.path / "shape_features.parquet"

    def seg(self, model: str) -> Path:
        """DICOM SEG of one model."""
        return self.path / "seg" / f"{model}.dcm"

    @property
    def seg_objects(self) -> Path:
        """What was written as SEG, or why there is none."""
        return self.path / "seg" / "objects.json"

    def features_sr(self, model: str) -> Path:
        """DICOM SR with the shape features of one model, or of the expert."""
        return self.path / "sr" / f"{model}_features.dcm"

    @property
    def landmarks_sr(self) -> Path:
        """DICOM SR with the landmarks."""
        return self.path / "sr" / "landmarks.dcm"

    @property
    def regions_sr(self) -> Path:
        """DICOM SR with the regions."""
        return self.path / "sr" / "regions.dcm"

    @property
    def sr_objects(self) -> Path:
        """What was written as SR, or why there is none."""
        return self.path / "sr" / "objects.json"

    @property
    def sign_offs(self) -> Path:
        """Who answers for the content of which report."""
        return self.path / "sign_offs.json"

    @property
    def reports(self) -> list[Path]:
        """The DICOM SRs that there are, by name; not what a killed run left of one."""
        return sorted(path for path in (self.path / "sr").glob("*.dcm") if not path.name.startswith("."))

    @property
    def measurement_groups(self) -> Path:
        """Measurement groups of all SRs."""
        return self.path / "sr" / "measurement_groups.parquet"

    @property
    def quantitative_measurements(self) -> Path:
        """Numbers of all SRs."""
        return self.path / "sr" / "quantitative_measurements.parquet"

    @property
    def qualitative_measurements(self) -> Path:
        """Coded statements of all SRs: landmarks and regions."""
        return self.path / "sr" / "qualitative_measurements.parquet"

    @property
    def qc_table(self) -> Path:
        """QC metrics and outcomes."""
        return self.path / "qc.parquet"

    @property
    def completion(self) -> Path:
        """What the finished series was made from."""
        return self.path / "complete.json"

    @property
    def qc_page(self) -> Path:
        """QC page of the series."""
        return self.path / "qc.html"

    def remove_derived(self) -> None:
        """Remove everything that was made from ct.nii.gz, and ct.nii.gz itself, but not ct.json.

        What was signed, and which objects there were, is history and stays.
        """
        kept = {self.ct_record, self.sign_offs, self.seg_objects, self.sr_objects}
        for path in sorted(self.path.rglob("*")):
            if path.is_file() and path not in kept:
                path.unlink()

    def remove_other_models(self, models: Collection[str]) -> None:
        """Remove the label maps, SEGs and SRs of models that are no longer configured.

        Parameters
        ----------
        models : collection of str
            Models to keep.
        """
        kept = {path for model in models for path in self._files_of(model)}
        for path in (
            *self.path.glob("organ_seg/*"),
            *self.path.glob("seg/*.dcm"),
            *self.path.glob("sr/*_features.dcm"),
        ):
            if path not in kept:
                path.unlink()

    def _files_of(self, model: str) -> tuple[Path, ...]:
        return self.label_map(model), self.label_map_record(model), self.seg(model), self.features_sr(model)


@dataclass(frozen=True)
class CohortFolder:
    """Local folder of the files that describe a whole collection."""

    path: Path

    @property
    def instances(self) -> Path:
        """Header index: one row per DICOM file."""
        return self.path / "instances.parquet"

    @property
    def cohort(self) -> Path:
        """One row per CT series: selected or excluded, with the reasons."""
        return self.path / "cohort.parquet"

    @property
    def selection_flow(self) -> Path:
        """Series left after each criterion."""
        return self.path / "selection_flow.parquet"

    @property
    def changed_series(self) -> Path:
        """Series of which the source holds another number of files than when they were first selected."""
        return self.path / "changed_series.json"

    @property
    def characteristics(self) -> Path:
        """Patients, studies and series before and after the selection."""
        return self.path / "characteristics.parquet"

    @property
    def remote_series(self) -> Path:
        """Where the files of the selected series can be fetched."""
        return self.path / "remote_series.parquet"

    @property
    def manifest(self) -> Path:
        """Selected series with their files and sizes, and where they come from."""
        return self.path / "manifest.json"

    @property
    def s5cmd_manifest(self) -> Path:
        """The same as commands for s5cmd."""
        return self.path / "manifest.s5cmd"

    @property
    def qc_table(self) -> Path:
        """QC tables of all series in one."""
        return self.path / "qc.parquet"

    @property
    def distributions(self) -> Path:
        """How metrics and shape features are distributed over the collection."""
        return self.path / "distributions.parquet"

    @property
    def shape_features(self) -> Path:
        """Shape features of all series in one."""
        return self.path / "shape_features.parquet"

    @property
    def sr_validation(self) -> Path:
        """What DicomSRValidator says of the reports."""
        return self.path / "sr_validation.parquet"

    @property
    def report(self) -> Path:
        """Cohort page."""
        return self.path / "report.html"


@dataclass(frozen=True)
class CollectionFolder:
    """Local folder of one collection."""

    path: Path

    @property
    def cohort(self) -> CohortFolder:
        """Files that describe the whole collection."""
        return CohortFolder(self.path / "cohort")

    @property
    def reviews(self) -> Path:
        """Folder of the reviewers' verdicts, which only grows."""
        return self.path / "reviews"

    def series(self, series_instance_uid: str) -> SeriesFolder:
        """Folder of one series.

        Parameters
        ----------
        series_instance_uid : str
            SeriesInstanceUID, checked before it becomes a path.

        Raises
        ------
        InvalidUidError
            If the string is no UID.
        """
        return SeriesFolder(self.path / "series" / checked_uid(series_instance_uid))

    def all_series(self) -> list[SeriesFolder]:
        """Folders of the series that have any file, sorted by UID."""
        root = self.path / "series"
        if not root.is_dir():
            return []
        with os.scandir(root) as entries:  # asks nothing about each of 100,000
            return [SeriesFolder(root / name) for name in sorted(entry.name for entry in entries if entry.is_dir())]
