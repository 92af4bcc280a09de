"""Profile strict on stacks of known geometry: what changes nothing, and what each defect is called."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ct_assets.cohort_table.index.copies import with_copies
from ct_assets.cohort_table.manifest import series_files
from tests.cohort_table.cohorts import collection_of, selected
from tests.cohort_table.stacks import AXIAL, stack, table, turned

REGULAR = [2.5 * number for number in range(30)]
few = settings(max_examples=12, deadline=None)


def _only(instances, **selection):
    cohort, _ = selected(instances, collection_of(**selection))
    assert len(cohort) == 1
    return cohort.iloc[0]


@few
@given(
    degrees=st.floats(-29, 29), about_z=st.floats(-180, 180), gap=st.floats(0.3, 6), count=st.integers(20, 60),
    flipped=st.booleans(), order=st.randoms(use_true_random=False),
)  # fmt: skip
def test_a_regular_stack_is_fit_however_it_lies_and_in_whatever_order(degrees, about_z, gap, count, flipped, order):
    row, column = turned(degrees, about_z)
    directions = (row, tuple(-value for value in column)) if flipped else (row, column)
    rows = stack([gap * number for number in range(count)], directions=directions)
    order.shuffle(rows)
    series = _only(table(rows))
    assert series["reason"] is None
    assert series["slice_spacing_mm"] == pytest.approx(gap, abs=1e-4)


@few
@given(seed=st.integers(0, 2**31), gap=st.floats(0.5, 5))
def test_noise_of_positions_within_the_tolerance_is_no_reason(seed, gap):
    noise = np.random.default_rng(seed).uniform(-0.002, 0.002, (3, 40)) * gap
    positions = gap * np.arange(40) + noise[0]
    assert _only(table(stack(positions, shift=list(zip(noise[1], noise[2], strict=True)))))["selected"]


@few
@given(seed=st.integers(0, 2**31))
def test_further_copies_of_instances_are_no_reason_and_no_slices(seed):
    rows = stack(REGULAR)
    chosen = np.random.default_rng(seed).choice(len(rows), 10, replace=False)
    copies = [{**rows[index], "file": f"copy/{index}.dcm"} for index in chosen]
    instances = with_copies(table([*rows, *copies]).sort_by("file"))
    series = _only(instances)
    assert series["selected"]
    assert series["instances"] == len(rows)
    assert len(series_files(instances, "1.2.3")) == len(rows)


def test_the_result_does_not_depend_on_the_order_of_the_rows():
    series = [
        stack([*REGULAR[:20], 51.0, 60.0], uid="1.2.4"),
        stack(REGULAR, uid="1.2.5", directions=turned(40)),
        stack(REGULAR, uid="1.2.6"),
    ]
    instances = table(*series)
    shuffled = instances.take(np.random.default_rng(0).permutation(len(instances)))
    first, again = (selected(rows, collection_of()) for rows in (instances, shuffled))
    for one, other in zip(first, again, strict=True):
        assert one.equals(other)


DEFECTS = {
    "a missing slice": (stack(REGULAR[:10] + REGULAR[11:]), "regular_spacing", "gaps from 2.5 to 5 mm"),
    "a gap 2 % too wide": (stack([*REGULAR[:-1], REGULAR[-1] + 0.06]), "regular_spacing", "irregular"),
    "alternating gaps": (stack(np.cumsum([1.2, 2.3] * 15)), "regular_spacing", "gaps from 1.2 to 2.3 mm"),
    "a slice twice": (stack([*REGULAR, REGULAR[7]]), "unique_positions", "1 of 31 slices lie where another slice is"),
    "a tilted gantry": (
        stack(REGULAR, shift=[(0, 0.1 * number) for number in range(30)]),
        "no_lateral_shift",
        "gantry tilted by 2.3 degrees",
    ),
    "a slice moved sideways": (
        stack(REGULAR, shift=[(0.0, 0.0)] * 12 + [(5.0, 0.0)] + [(0.0, 0.0)] * 17),
        "no_lateral_shift",
        "sideways along the stack by 5 mm",
    ),
    "sagittal slices": (
        stack(REGULAR, directions=((0, 1, 0), (0, 0, -1))),
        "near_axial",
        "slices are 90 degrees off axial",
    ),
    "oblique slices": (stack(REGULAR, directions=turned(31)), "near_axial", "31 degrees off axial"),
    "skewed axes": (
        stack(REGULAR, directions=(AXIAL[0], (0.2, 0.9, 0.0))),
        "orthogonal_orientation",
        "not orthogonal unit vectors",
    ),
    "two orientations": (
        [*stack(REGULAR[:15]), *stack(REGULAR[15:], uid="1.2.30", directions=turned(1))],
        "single_orientation",
        "ImageOrientationPatient differs within the series by up to 0.0174",
    ),
    "two pixel spacings": (
        [*stack(REGULAR[:15]), *stack(REGULAR[15:], uid="1.2.30", PixelSpacing=["0.7", "0.8"])],
        "single_pixel_spacing",
        "PixelSpacing differs within the series by up to 0.1",
    ),
    "a localizer in it": (
        [*stack(REGULAR[:29]), *stack(REGULAR[29:], uid="1.2.30", ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])],
        "not_localizer",
        "ImageType says LOCALIZER",
    ),
    "derived": (stack(REGULAR, ImageType=["DERIVED", "SECONDARY"]), "not_derived", "DERIVED in 30 of 30 images"),
    "no positions": (
        stack(REGULAR, ImagePositionPatient=None),
        "placed",
        "ImagePositionPatient is missing in 30 of 30 images",
    ),
    "no spacing": (stack(REGULAR, PixelSpacing=None), "placed", "PixelSpacing is missing in 30 of 30 images"),
    "multi-frame": (
        stack(REGULAR, SOPClassUID="1.2.840.10008.5.1.4.1.1.2.1"),
        "supported_class",
        "multi-frame CT is not supported): 1.2.840.10008.5.1.4.1.1.2.1",
    ),
    "no UID": (stack(REGULAR, SeriesInstanceUID=None), "series_uid", "SeriesInstanceUID is missing"),
    "a UID that is a path": (stack(REGULAR, SeriesInstanceUID="../x"), "series_uid", "not a DICOM UID: '../x'"),
    "a UID that is too long": (stack(REGULAR, SeriesInstanceUID="1." * 32 + "1"), "series_uid", "not a DICOM UID"),
    "two studies": (
        [*stack(REGULAR[:15]), *stack(REGULAR[15:], uid="1.2.30", study="1.7", FrameOfReferenceUID="1.2.9")],
        "one_series",
        "StudyInstanceUID differs: 1.2 in 1.2.3/0000.dcm and 1.7 in 1.2.30/0000.dcm",
    ),
    "two sizes": (
        [*stack(REGULAR[:15]), *stack(REGULAR[15:], uid="1.2.30", Columns=256)],
        "one_series",
        "Columns differs: 256 in 1.2.30/0000.dcm and 512 in 1.2.3/0000.dcm",
    ),
    "too few": (stack(REGULAR[:19]), "minimum_slices", "19 slices, fewer than 20"),
}


@pytest.mark.parametrize(("rows", "criterion", "words"), DEFECTS.values(), ids=DEFECTS.keys())
def test_every_defect_is_excluded_for_its_own_reason(rows, criterion, words):
    uid = rows[0]["SeriesInstanceUID"]
    series = _only(table([{**row, "SeriesInstanceUID": uid} for row in rows]))
    assert not series["selected"]
    assert criterion in series["failed_criteria"]
    assert words in series["reason"]


def test_what_cannot_be_evaluated_is_not_passed():
    series = _only(table(stack(REGULAR, SliceThickness=None)), slice_thickness_mm=[1, 3])
    assert not series["selected"]
    assert series["failed_criteria"] == []
    assert series["not_evaluated"] == ["slice_thickness"]
    assert series["reason"] == "not evaluated: slice_thickness"


THRESHOLDS = {
    "minimum_slices": (stack(REGULAR[:5]), 5),
    "spacing_tolerance": (stack([*REGULAR[:-1], REGULAR[-1] + 0.06]), 0.03),
    "lateral_shift_mm": (stack(REGULAR, shift=[(0, 0.1 * number) for number in range(30)]), 3.0),
    "same_position_mm": (stack(np.arange(30) * 0.0009, SliceThickness="0.0009"), 1e-4),
    "orientation_tolerance": ([*stack(REGULAR[:15]), *stack(REGULAR[15:], directions=turned(0.05))], 0.01),
    "orthogonality_tolerance": (stack(REGULAR, directions=(AXIAL[0], (0, 0.95, 0))), 0.06),
    "pixel_spacing_tolerance_mm": ([*stack(REGULAR[:15]), *stack(REGULAR[15:], PixelSpacing=["0.7", "0.71"])], 0.02),
    "maximum_obliquity_degrees": (stack(REGULAR, directions=turned(40)), 45),
}


@pytest.mark.parametrize("name", THRESHOLDS)
def test_every_threshold_is_the_collections_own(name):
    rows, lenient = THRESHOLDS[name]
    for number, row in enumerate(rows):
        row["SOPInstanceUID"] = f"1.2.3.{number}"
    assert not _only(table(rows))["selected"]
    assert _only(table(rows), **{name: lenient})["reason"] is None


def test_one_series_of_a_study_the_fit_ones_first_then_the_longest_then_the_lowest_uid():
    def chosen(*series):
        cohort, _ = selected(table(*series), collection_of(one_series_per_study=True))
        told = cohort.set_index("SeriesInstanceUID")
        return sorted(told.index[told["selected"]]), told

    longest_is_unfit = stack([*REGULAR, 200.0], uid="1.9.1")
    fit, longer, same = (
        stack(REGULAR[:length], uid=uid) for uid, length in (("1.9.2", 25), ("1.9.4", 29), ("1.9.3", 29))
    )
    uids, told = chosen(longest_is_unfit, fit, longer, same)
    assert uids == ["1.9.3"]
    assert told.loc["1.9.4", "failed_criteria"] == ["one_series_per_study"]
    assert told.loc["1.9.1", "failed_criteria"] == ["regular_spacing"]
    assert chosen(longest_is_unfit, fit)[0] == ["1.9.2"]
    assert chosen(fit, stack(REGULAR, uid="1.9.5", study="1.3"))[0] == ["1.9.2", "1.9.5"]


def test_the_clinical_table_keeps_the_patients_of_the_cohort(tmp_path):
    path = tmp_path / "nlst_prsn.csv"
    path.write_text("pid,can_scr\n100,1\n200,0\n300,\n300,1\n")
    series = [stack(REGULAR, uid=f"1.2.{patient}", patient=str(patient)) for patient in (100, 200, 300, 400)]
    clinical = {"table": str(path), "patient_id": "pid", "column": "can_scr", "values": [1]}
    cohort, flow = selected(table(*series), collection_of(clinical=clinical))
    told = cohort.set_index("PatientID")
    assert told["selected"].to_dict() == {"100": True, "200": False, "300": True, "400": False}
    assert told.loc["200", "reason"] == "the patient's can_scr is not 1"
    assert told.loc["400", "not_evaluated"] == ["clinical"]
    assert flow.set_index("criterion").loc["clinical", ["series_left", "failed", "not_evaluated"]].tolist() == [2, 1, 1]
