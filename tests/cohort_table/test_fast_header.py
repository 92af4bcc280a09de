"""The fast header against pydicom: the same row for every file it vouches for, and every ordinary CT is one."""

import os
import struct
import warnings
from io import BytesIO
from pathlib import Path

import pyarrow as pa
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.charset import convert_encodings, decode_bytes
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.multival import MultiValue
from pydicom.uid import UID

from ct_assets.cohort_table.index import attributes, raw_values
from ct_assets.cohort_table.index.fast_header import COMPRESSED, EXPLICIT_VR, IMPLICIT_VR, FastHeader, read_header
from ct_assets.cohort_table.index.file_rows import fast_row, pydicom_row
from ct_assets.store.tables import INSTANCES
from tests.security.fuzzing import damaged_bytes

CT_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.2"
ROWS = 0x00280010
PIXEL_BYTES = 384

ORDINARY = [
    "chest_ct_64/dicom",
    "ibsi_lung_ct/dicom/image",
    "lung_ct_crops/pat_1",
    "lung_ct_crops/pat_2",
    "odd_geometry/ge_head_tilt_variable_spacing",
    "odd_geometry/ct_missing_slice",
    "odd_geometry/ct_gantry_tilt_4_slices",
    "siemens_ct_jpeg2000/dicom",
    "dcmqi_examples/23x38x3/multiframe",
    "compressed",
]

SEEDS = [
    "chest_ct_64/dicom/IMG0040.dcm",  # implicit VR
    "dcmqi_examples/ct-3slice/01.dcm",  # implicit VR with private elements
    "odd_geometry/ct_missing_slice",  # explicit VR
    "odd_geometry/philips_localizer",  # explicit VR with nested sequences
    "siemens_ct_jpeg2000/dicom",  # compressed
    "dcmqi_examples/23x38x3/multiframe",  # one file with several frames
]

TOKENS = [
    *(b"\xff\xff\xff\xff", b"\0\0\0\0", b"\\", b"\x1b", b"\0", b" ", b"nan", b"1e999", b"-", b"\xe4"),
    *(b"\xfe\xff\x00\xe0", b"\xfe\xff\x0d\xe0\0\0\0\0", b"\xfe\xff\xdd\xe0\0\0\0\0"),
    *(b"SQ\0\0\xff\xff\xff\xff", b"UN\0\0\xff\xff\xff\xff", b"OB", b"CS", b"UL", b"ISO_IR 192"),
    *(b"\xe0\x7f\x10\x00", b"\x08\x00\x05\x00", b"\x08\x00\x15\x11"),
]
"""What breaks the structure of a header where it is put in."""


def _dataset(syntax: str = EXPLICIT_VR.decode()) -> Dataset:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.SOPClassUID, dataset.SOPInstanceUID = CT_IMAGE_STORAGE, "1.2.3.1"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "1.2.3.0", "1.2.3"
    dataset.PatientID, dataset.Modality, dataset.ImageType = "P", "CT", ["ORIGINAL", "PRIMARY"]
    dataset.ImagePositionPatient, dataset.SliceThickness = [0, 0, 2], "2.50"
    dataset.ImageOrientationPatient, dataset.PixelSpacing = [1, 0, 0, 0, 1, 0], [1.5, 1.5]
    dataset.Rows, dataset.Columns, dataset.SamplesPerPixel = 16, 12, 1
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 16, 15
    dataset.PhotometricInterpretation, dataset.PixelRepresentation = "MONOCHROME2", 1
    dataset.PixelData = bytes(PIXEL_BYTES)
    dataset["PixelData"].VR = "OW"
    return dataset


def _bytes(dataset: Dataset) -> bytes:
    file = BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()


def _element(tag: int, vr: bytes, value: bytes) -> bytes:
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr, len(value)) + value


def _sequence(tag: int, content: bytes, implicit: bool) -> bytes:
    """One item of undefined length in a sequence of undefined length."""
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF) + (b"" if implicit else b"SQ\0\0") + b"\xff\xff\xff\xff"
    item = b"\xfe\xff\x00\xe0\xff\xff\xff\xff" + content + b"\xfe\xff\x0d\xe0\0\0\0\0"
    return head + item + b"\xfe\xff\xdd\xe0\0\0\0\0"


def _items(content: bytes, end: bytes = b"\xfe\xff\xdd\xe0\0\0\0\0") -> bytes:
    """Write a sequence of undefined length with explicit VR around items."""
    return b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff" + content + end


def _before(content: bytes, tag: int, inserted: bytes) -> bytes:
    """Insert elements before the element with a tag."""
    at = content.index(struct.pack("<HH", tag >> 16, tag & 0xFFFF))
    return content[:at] + inserted + content[at:]


def _as_table(row: dict[str, object]) -> pa.Table:
    return pa.Table.from_pylist([row], schema=INSTANCES.schema)


def _agrees(path: Path) -> bool:
    """Tell whether the fast path vouches for a file; if it does, its row must be pydicom's."""
    fast = fast_row(str(path))
    if fast is None:
        return False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        slow = pydicom_row(str(path))
    assert _as_table(fast).to_pylist() == _as_table(slow).to_pylist()
    return True


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else [folder]


def _header(path: Path, wanted: dict[int, bytes]) -> FastHeader | None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return read_header(descriptor, path.stat().st_size, wanted)
    finally:
        os.close(descriptor)


def test_the_fast_row_of_every_real_file_is_that_of_pydicom(shared_data):
    assert sum(_agrees(path) for path in _files(shared_data / "real")) > 300


@pytest.mark.parametrize("folder", ORDINARY)
def test_ordinary_images_are_read_fast(shared_data, folder):
    images = [file for file in _files(shared_data / "real" / folder) if pydicom.dcmread(file).Modality != "RTSTRUCT"]
    assert images
    assert all(fast_row(str(file)) for file in images)


@pytest.fixture(scope="module")
def seeds(shared_data) -> list[bytes]:
    """Real headers with the first pixels, and again with all sequences of undefined length."""
    contents = []
    for name in SEEDS:
        content = _files(shared_data / "real" / name)[-1].read_bytes()
        contents.append(content[: content.index(b"\xe0\x7f\x10\x00") + 100])
    return contents + [_with_undefined_lengths(content) for content in contents]


def _with_undefined_lengths(content: bytes) -> bytes:
    dataset = pydicom.dcmread(BytesIO(content), stop_before_pixels=True)
    for element in dataset.iterall():
        if element.VR == "SQ":
            element.is_undefined_length = True
            for item in element.value:
                item.is_undefined_length_sequence_item = True
    return _bytes(dataset)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("scratch") / "image.dcm"


@settings(max_examples=1000, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_damaged_header_is_left_to_pydicom_or_read_as_pydicom_reads_it(seeds, scratch, data):
    content = damaged_bytes(data, data.draw(st.sampled_from(seeds)), TOKENS)
    scratch.write_bytes(content)
    _agrees(scratch)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(noise=st.binary(max_size=400))
def test_noise_behind_a_sound_beginning_does_no_harm(scratch, noise):
    content = _bytes(_dataset())
    scratch.write_bytes(content[: content.index(b"\x20\x00\x0d\x00UI")] + noise)
    _agrees(scratch)


@pytest.mark.parametrize("syntax", [IMPLICIT_VR, EXPLICIT_VR])
def test_raw_values_are_picked_and_the_pixels_found(tmp_path, syntax):
    file = tmp_path / "image.dcm"
    content = _bytes(_dataset(syntax.decode()))
    file.write_bytes(content)
    header = _header(file, {0x00180050: b"DS", ROWS: b"US", 0x00100030: b"DA"})
    assert header.syntax == syntax
    assert header.media_sop_class.decode() == CT_IMAGE_STORAGE
    assert header.values == {0x00180050: b"2.50", ROWS: b"\x10\x00"}
    assert header.end == content.index(b"\xe0\x7f\x10\x00")


def test_without_pixels_the_header_ends_with_the_file(tmp_path):
    dataset = _dataset()
    del dataset.PixelData
    file = tmp_path / "no_pixels.dcm"
    file.write_bytes(_bytes(dataset))
    assert _header(file, {}).end == file.stat().st_size
    assert _agrees(file)


@pytest.mark.parametrize("implicit", [True, False])
@pytest.mark.parametrize("items", [10, 2_000, 20_000])
def test_long_headers_are_read_as_far_as_they_go(tmp_path, implicit, items):
    """A long private value, and a sequence of undefined length that is longer than what is read at a time."""
    item = _element(0x00080104, b"LO", b"meaning ") if not implicit else struct.pack("<HHL", 8, 0x104, 2) + b"m "
    long = struct.pack("<HH", 0x0009, 0x1010) + (b"" if implicit else b"OB\0\0") + struct.pack("<L", 300_000)
    content = _bytes(_dataset((IMPLICIT_VR if implicit else EXPLICIT_VR).decode()))
    content = _before(content, 0x00100020, long + bytes(300_000) + _sequence(0x00091020, item * items, implicit))
    file = tmp_path / "long.dcm"
    file.write_bytes(content)
    assert _header(file, {ROWS: b"US"}).values == {ROWS: b"\x10\x00"}
    assert _agrees(file)


def test_nested_sequences_of_undefined_length_are_passed_over(tmp_path):
    inner = _sequence(0x00081199, _element(0x00081155, b"UI", b"1.2.3.44"), implicit=False)
    file = tmp_path / "nested.dcm"
    file.write_bytes(_before(_bytes(_dataset()), 0x00100020, _sequence(0x00081140, inner + inner, implicit=False)))
    assert _agrees(file)


def _swap(content: bytes, old: bytes, new: bytes) -> bytes:
    assert old in content
    return content.replace(old, new)


UNUSUAL = {
    "no preamble": lambda content: content[132:],
    "no group length": lambda content: content[:132] + content[144:],
    "wrong group length": lambda content: content[:140] + bytes([content[140] + 2]) + content[141:],
    "big endian": lambda content: _swap(content, b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.2\0"),
    "unknown transfer syntax": lambda content: _swap(content, b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.9.9.9\0"),
    "explicit VR called implicit": lambda content: _swap(content, b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2\0\0\0"),
    "an odd length": lambda content: _before(content, 0x00100020, _element(0x00100010, b"PN", b"A^B")),
    "out of order": lambda content: _before(content, 0x00100020, _element(0x00180015, b"CS", b"CHEST ")),
    "an element twice": lambda content: _before(content, ROWS, _element(ROWS, b"US", b"\1\0")),
    "another VR": lambda content: _swap(content, b"\x28\x00\x10\x00US", b"\x28\x00\x10\x00SS"),
    "an unknown VR": lambda content: _swap(content, b"\x28\x00\x10\x00US", b"\x28\x00\x10\x00QQ"),
    "a referenced series": lambda content: _before(content, 0x00100020, _sequence(0x00081115, b"", implicit=False)),
    "an odd length of what is wanted": lambda content: _swap(content, b"CS\x02\0CT", b"CS\x03\0CT "),
    "a long value": lambda content: _before(content, 0x00100020, _element(0x0008103E, b"LO", b"long" * 1000)),
    "a private element of undefined length": lambda content: _before(
        content, 0x00100020, b"\x09\x00\x01\x10OB\0\0\xff\xff\xff\xff" + b"\xfe\xff\xdd\xe0\0\0\0\0"
    ),
    "no item in a sequence": lambda content: _before(content, 0x00100020, _items(b"\x08\x00\x00\xe0\0\0\0\0")),
    "an item that is not filled": lambda content: _before(
        content, 0x00100020, _items(b"\xfe\xff\x00\xe0\x0a\0\0\0" + _element(0x00081155, b"UI", b"1.2\0"))
    ),
    "an end of an item that has a length": lambda content: _before(
        content, 0x00100020, _items(b"\xfe\xff\x00\xe0\x08\0\0\0\xfe\xff\x0d\xe0\0\0\0\0")
    ),
    "an end of an item with a length": lambda content: _before(
        content, 0x00100020, _items(b"\xfe\xff\x00\xe0\xff\xff\xff\xff\xfe\xff\x0d\xe0\2\0\0\0")
    ),
    "an end of a sequence with a length": lambda content: _before(
        content, 0x00100020, _items(b"", b"\xfe\xff\xdd\xe0\2\0\0\0")
    ),
    "an item in another character set": lambda content: _before(
        content, 0x00100020, _sequence(0x00081140, _element(0x00080005, b"CS", b"ISO_IR 13 "), implicit=False)
    ),
    "an item in implicit VR": lambda content: _before(
        content, 0x00100020, _sequence(0x00081140, b"\x08\x00\x55\x11\0\0\0\0", implicit=False)
    ),
    "not ASCII": lambda content: _before(content, 0x00100020, _element(0x0008103E, b"LO", b"Sch\xe4del ")),
    "a Japanese character set": lambda content: _before(
        content, 0x00080008, _element(0x00080005, b"CS", b"ISO_IR 13 ")
    ),
    "a value that does not fit": lambda content: _swap(content, b"2.50", b"2,50"),
    "cut off in an element": lambda content: content[: content.index(b"\x28\x00\x10\x00US") + 4],
    "an element beyond the file": lambda content: _before(
        content, 0x00100020, b"\x09\x00\x01\x10OB\0\0\xf0\xff\xff\xff"
    ),
}


@pytest.mark.parametrize("change", UNUSUAL.values(), ids=UNUSUAL.keys())
def test_what_is_unusual_is_left_to_pydicom(tmp_path, change):
    file = tmp_path / "unusual.dcm"
    content = _bytes(_dataset())
    file.write_bytes(content)
    assert fast_row(str(file))
    file.write_bytes(change(content))
    assert fast_row(str(file)) is None


@pytest.mark.parametrize(
    "inserted",
    [
        _sequence(0x00081140, _sequence(0x00081199, b"", implicit=True), implicit=True),
        _sequence(0x00081140, b"\x08\x00\x55\x11\x08\0\0\0\xfe\xff\xdd\xe0\0\0\0\0", implicit=True),
    ],
)
def test_a_sequence_in_implicit_vr_that_could_be_read_in_two_ways_is_left_to_pydicom(tmp_path, inserted):
    """Whether an element is a sequence is known from its tag alone, which a private element does not tell."""
    file = tmp_path / "unusual.dcm"
    content = _bytes(_dataset(IMPLICIT_VR.decode()))
    file.write_bytes(_before(content, 0x00100020, _sequence(0x00081140, b"", implicit=True)))
    assert _agrees(file)
    file.write_bytes(_before(content, 0x00100020, inserted))
    assert fast_row(str(file)) is None


def test_a_header_that_looks_like_explicit_vr_in_spite_of_its_transfer_syntax_is_left_to_pydicom(tmp_path):
    file = tmp_path / "unusual.dcm"
    content = _bytes(_dataset(IMPLICIT_VR.decode()))
    first = struct.pack("<HHL", 0x0008, 0x0001, int.from_bytes(b"LO", "little"))
    file.write_bytes(_before(content, 0x00080008, first + bytes(int.from_bytes(b"LO", "little"))))
    assert fast_row(str(file)) is None


@pytest.mark.parametrize("syntax", [IMPLICIT_VR, EXPLICIT_VR])
def test_values_at_the_end_of_what_is_read_at_a_time_are_whole(tmp_path, syntax):
    file = tmp_path / "image.dcm"
    content = _bytes(_dataset(syntax.decode()))
    wanted = {attribute.tag: attribute.vr.encode() for attribute in attributes.ATTRIBUTES}
    file.write_bytes(content)
    expected = _header(file, wanted)
    for padding in range(2**13 - len(content), 2**13, 2):
        head = b"\x09\x00\x01\x10" + (b"" if syntax == IMPLICIT_VR else b"OB\0\0") + struct.pack("<L", padding)
        file.write_bytes(_before(content, 0x00100020, head + bytes(padding)))
        assert _header(file, wanted) == expected._replace(end=expected.end + len(head) + padding)


@pytest.mark.parametrize(
    ("vr", "raw", "values"),
    [
        ("UI", b"1.2.3\0", ["1.2.3"]),
        ("CS", b"ORIGINAL \\PRIMARY ", ["ORIGINAL ", "PRIMARY"]),
        ("LO", b" A \\B \0", [" A", "B"]),
        ("LO", b"\\", ["", ""]),
        ("DS", b" 1.0 \\2e0", [" 1.0 ", "2e0"]),
        ("IS", b" ", []),
        ("US", b"\x00\x02", [512]),
        ("US", b"", []),
    ],
)
def test_raw_values_are_those_of_pydicom(vr, raw, values):
    assert raw_values.raw_values(vr, raw) == values
    element = pydicom.dataelem.RawDataElement(pydicom.tag.Tag(0x00091001), vr, len(raw), raw, 0, False, True)
    value = pydicom.dataelem.convert_raw_data_element(element).value
    if not isinstance(value, MultiValue):
        value = [] if value is None or value == "" else [value]
    strip = vr == "DS"  # the padding of each decimal is taken off later
    assert [str(item) for item in value] == [str(item).strip() if strip else str(item) for item in values]


@pytest.mark.parametrize(
    ("vr", "raw"), [("UI", b"1.2a"), ("LO", b"Sch\xe4del"), ("LO", b"A\x1b$B"), ("US", b"\1\0\2\0")]
)
def test_unusual_raw_values_are_refused(vr, raw):
    with pytest.raises(ValueError, match=r"unusual characters|one number expected"):
        raw_values.raw_values(vr, raw)


def test_hostile_nesting_and_lengths_end(tmp_path):
    file = tmp_path / "hostile.dcm"
    content = _bytes(_dataset())
    start = b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
    for inserted in (start * 200_000, start[:12] + b"\xfe\xff\x00\xe0\0\0\0\0" * 2_000_000):
        file.write_bytes(_before(content, 0x00100020, inserted)[: -PIXEL_BYTES - 100])
        assert fast_row(str(file)) is None


@pytest.mark.parametrize("syntax", [IMPLICIT_VR, EXPLICIT_VR])
@pytest.mark.parametrize("missing", [0, 1, 8, 12, 14, PIXEL_BYTES - 1, PIXEL_BYTES])
def test_truncation_is_told_in_the_same_words(tmp_path, syntax, missing):
    file = tmp_path / "cut.dcm"
    content = _bytes(_dataset(syntax.decode()))
    file.write_bytes(content[: len(content) - missing])
    assert _agrees(file)
    told = f"is truncated ({PIXEL_BYTES - missing} of {PIXEL_BYTES} pixel bytes); copy it again from its source"
    assert fast_row(str(file))["problem"] == (told if missing else None)


def test_tags_vrs_and_transfer_syntaxes_are_those_of_the_standard():
    for attribute in attributes.ATTRIBUTES:
        assert pydicom.datadict.tag_for_keyword(attribute.keyword) == attribute.tag
        assert pydicom.datadict.dictionary_VR(attribute.tag) == attribute.vr
    for syntax in (UID(syntax.decode()) for syntax in COMPRESSED):
        assert syntax.is_compressed
        assert syntax.is_little_endian
        assert not syntax.is_implicit_VR
        assert not syntax.is_deflated


def test_ascii_is_ascii_in_the_character_sets_that_are_taken_for_compatible():
    text = bytes(range(0x20, 0x7F))
    for name in raw_values._ASCII_COMPATIBLE:
        assert decode_bytes(text, convert_encodings(name), set()) == text.decode("ascii"), name
        assert raw_values.is_ascii_compatible(name.encode())
    assert raw_values.is_ascii_compatible(b"\\ISO 2022 IR 87 ")
    assert not raw_values.is_ascii_compatible(b"ISO_IR 13 ")
    assert not raw_values.is_ascii_compatible(b"latin1")
