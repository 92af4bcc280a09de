"""A real lung CT with the RTSTRUCT that was drawn on it, annotated from end to end."""

import json
import logging

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from ct_assets import run
from ct_assets.collection import Collection
from ct_assets.ct_nifti.expert import load_expert
from ct_assets.ct_nifti.record import read_ct_record
from ct_assets.dicom_sr.features import StaleFeaturesError
from ct_assets.dicom_sr.reports import plan_reports
from ct_assets.dicom_sr.segments import NO_SEGMENTS
from ct_assets.installation import resources
from ct_assets.organs import EXPERT
from ct_assets.run import SeriesOutcome
from ct_assets.store.paths import CollectionFolder
from ct_assets.store.tables import QC, SHAPE_FEATURES
from tests.shape_features.test_ibsi import IBSI_TAGS

Annotated = tuple[Collection, CollectionFolder, SeriesOutcome]


@pytest.fixture(scope="module")
def annotated(shared_data, tmp_path_factory, model_home) -> Annotated:
    """The tumour stands for a heart."""
    collection = Collection.model_validate(
        {
            "name": "tumour",
            "title": "A lung tumour",
            "demonstration": True,
            "source": {"kind": "folder", "path": str(shared_data / "real/ibsi_lung_ct/dicom")},
            "organ_segmentation": {"model": "demo", "tta": False},
            "body_part_regression": {"model": "demo"},
            "expert": {"modality": "RTSTRUCT", "structures": {"heart": "GTV-1"}, "lungs": ["Lungs"]},
        }
    )
    tools = resources()
    outcome = run.annotate(collection, instance=dg.DagsterInstance.ephemeral(), resources=tools)
    (series,) = outcome.series
    return collection, tools["series_store"].collection(collection.name), series


def test_the_experts_features_are_those_of_ibsi_and_models_are_compared_with_it(annotated, shared_data):
    _, _, outcome = annotated
    assert outcome.status == "annotated", outcome.reason
    features = SHAPE_FEATURES.read(outcome.folder.shape_features)
    expert = features[features["model"] == EXPERT].set_index("feature")
    assert set(expert["organ"]) == {"heart"}
    assert set(expert["label"]) == {2}
    assert expert["weights_digest"].isna().all()
    table = pd.read_csv(shared_data / "real/ibsi_lung_ct/ibsi_consensus_values.csv", encoding="utf-8-sig")
    consensus = table[table["data_set"] == "configuration A"].set_index("tag")
    assert set(IBSI_TAGS) == set(expert.index)
    for name, tag in IBSI_TAGS.items():
        apart = abs(expert.loc[name, "value"] - float(consensus.loc[tag, "benchmark_value"]))
        assert apart <= float(consensus.loc[tag, "tolerance"]), name
    qc = QC.read(outcome.folder.qc_table)
    dice = qc[(qc["metric"] == "dice") & (qc["subject"] == "heart")]
    assert np.isfinite(dice["value"]).all()
    assert len(dice) == 1


def test_there_is_no_report_of_the_expert_and_the_record_says_why(annotated):
    _, _, outcome = annotated
    objects = json.loads(outcome.folder.sr_objects.read_text())["objects"]
    assert objects[EXPERT]["absent"] == NO_SEGMENTS
    assert not outcome.folder.features_sr(EXPERT).exists()
    assert {outcome.checks[name] for name in ("sr_reads_back", "sr_dciodvfy")} == {"pass"}


def test_features_of_another_rtstruct_are_stale(annotated, shared_data, tmp_path):
    collection, store, outcome = annotated
    record = read_ct_record(outcome.folder.ct_record)
    expert = load_expert(collection, store, record, shared_data / "real/ibsi_lung_ct/dicom")
    unused = logging.getLogger  # the series is read only when a report is written
    plan_reports(unused, outcome.folder, collection, expert)
    table = SHAPE_FEATURES.read(outcome.folder.shape_features)
    table.loc[table["model"] == EXPERT, "segmentation"] = "0" * 64
    SHAPE_FEATURES.write(table, outcome.folder.shape_features)
    with pytest.raises(StaleFeaturesError, match="another RTSTRUCT than there is now; materialize shape_features"):
        plan_reports(unused, outcome.folder, collection, expert)
