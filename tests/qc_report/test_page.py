"""The series page: contents, size, self-containment and escaping."""

import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from ct_assets.qc_report.evaluate import evaluate
from ct_assets.qc_report.inputs import SeriesInputs, files_of
from ct_assets.qc_report.page import PAGE_LIMIT, series_page
from ct_assets.qc_report.wording import file_size, limits, number
from ct_assets.qc_settings import QualityControl
from ct_assets.store.paths import SeriesFolder

MakeInputs = Callable[..., SeriesInputs]
FILES = [("ct.nii.gz", 1234567), ("seg/2d.dcm", 99)]


class References(HTMLParser):
    """Addresses that a browser would load by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in {"href", "src", "srcset", "xlink:href", "data", "poster", "action"} and value:
                (self.links if tag == "a" else self.loaded).append(value)


def references(html: str) -> References:
    parser = References()
    parser.feed(html)
    return parser


def page(inputs: SeriesInputs) -> str:
    return series_page(inputs, evaluate(inputs), FILES)


def test_page_loads_nothing(make_inputs: MakeInputs) -> None:
    html = page(make_inputs())
    found = references(html)
    assert found.loaded
    assert all(address.startswith("data:image/png;base64,") for address in found.loaded)
    assert "<script" not in html
    assert "url(" not in html
    assert "@import" not in html
    assert {"ct.nii.gz", "seg/2d.dcm"} <= set(found.links)


def test_page_says_what_and_by_whom(make_inputs: MakeInputs) -> None:
    inputs = make_inputs()
    html = page(inputs)
    assert inputs.record.series_instance_uid in html
    assert inputs.record.study_instance_uid in html
    assert "DEMO-001" in html
    for text in ("3d_fullres", "Sphericity", "lung_start", "chest", "abab" * 4, "HD95, surface", "1.2 MB"):
        assert text in html


def test_parts_and_borders_of_an_organ_stand_below_its_features(make_inputs: MakeInputs) -> None:
    features = make_inputs().features
    assert "Touches the border" not in page(make_inputs())
    aorta = (features["organ"] == "aorta") & (features["model"] == "2d")
    features.loc[aorta, "components"] = 3
    features["at_border"] = [["inferior", "left"] if hit else [] for hit in aorta]
    table = page(make_inputs(features=features)).split(">Aorta<")[-1].split("</table>")[0]
    rows = re.findall(r"<tr><th.*?>(.*?)</th>(.*?)</tr>", table)
    cells = {head: re.findall(r"<td.*?>(.*?)</td>", rest) for head, rest in rows}
    assert sorted(cells["Separate parts"][:2]) == ["1", "3"]
    assert sorted(cells["Touches the border"][:2]) == ["", "inferior, left"]


def test_demonstration_banner(make_inputs: MakeInputs) -> None:
    notice = "demonstration model, not for real anatomy"
    assert notice in page(make_inputs())
    assert notice not in page(make_inputs(demonstration=False))


def test_failure_is_on_top(make_inputs: MakeInputs) -> None:
    expert = {name: np.roll(mask, 5, axis=0) for name, mask in (make_inputs().expert or {}).items()}
    html = page(make_inputs(expert=expert))
    verdicts = html.split('<section class="verdicts"')[1].split("</section>")[0]
    assert re.search(r'Dice against expert <span class="chip fail">', verdicts)
    assert "is below 0.78 (3d_fullres, 2d)" in verdicts
    assert re.search(r'Lung extent <span class="chip pass">', verdicts)


def test_text_from_outside_is_escaped(make_inputs: MakeInputs) -> None:
    inputs = make_inputs()
    record = inputs.record.model_copy(update={"patient_id": "<script>alert(1)</script>"})
    html = page(make_inputs(record=record))
    assert "<script" not in html
    assert "&lt;script&gt;" in html


@pytest.mark.parametrize("side", [512])
def test_page_of_a_noisy_full_size_series_keeps_the_limit(make_inputs: MakeInputs, side: int) -> None:
    inputs = make_inputs()
    rng = np.random.default_rng(0)
    repeat = (side // 44 + 1, side // 40 + 1, 1)

    def enlarge(volume: np.ndarray) -> np.ndarray:
        return np.kron(volume, np.ones(repeat, dtype=volume.dtype))

    shape = enlarge(inputs.label_maps["2d"]).shape
    affine = np.array(inputs.affine) @ np.diag([1 / repeat[0], 1 / repeat[1], 1, 1])
    record = inputs.record.model_copy(
        update={
            "shape": shape,
            "affine": tuple(tuple(row) for row in affine.tolist()),
            "spacing_mm": (7 / repeat[0], 8 / repeat[1], 5.5),
        }
    )
    large = make_inputs(
        record=record,
        ct=rng.normal(40, 150, shape).astype(np.float32),
        label_maps={model: enlarge(labels) for model, labels in inputs.label_maps.items()},
        expert={name: enlarge(mask) for name, mask in (inputs.expert or {}).items()},
    )
    html = series_page(large, evaluate(make_inputs()), FILES)
    assert len(html.encode()) <= PAGE_LIMIT


def test_bare_series(make_inputs: MakeInputs) -> None:
    """No organ, no expert, no landmark, no region: the page says so and does not fail."""
    inputs = make_inputs()
    bare = make_inputs(
        label_maps={model: np.zeros_like(labels) for model, labels in inputs.label_maps.items()},
        features=inputs.features.assign(value=np.nan, reason="empty segmentation"),
        landmarks=inputs.landmarks.iloc[:0],
        regions=inputs.regions.iloc[:0],
        body_part=inputs.body_part.model_copy(
            update={"lung_extent_mm": None, "slice_scores": (None,) * 56, "reason": "no valid scores"}
        ),
        expert=None,
    )
    html = page(bare)
    assert "no valid scores" in html
    assert "not measurable" in html
    assert not re.search(r"\bnan\b", html, re.IGNORECASE)


def test_viewer_link_must_be_a_web_address(make_inputs: MakeInputs) -> None:
    inputs = make_inputs()
    for template, expected in (("https://viewer.example.org/{study}?s={series}", True), ("javascript:x", False)):
        collection = inputs.collection.model_copy(update={"viewer_url": template})
        links = references(page(make_inputs(collection=collection))).links
        assert any(inputs.record.study_instance_uid in link for link in links) is expected
        assert not any(link.startswith("javascript") for link in links)


def test_files_are_listed_relative_to_the_page(tmp_path: Path) -> None:
    folder = SeriesFolder(tmp_path)
    for name in ("ct.json", "seg/2d.dcm", "qc.html", ".abc.partial.ct.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"12")
    assert files_of(folder) == [("ct.json", 2), ("seg/2d.dcm", 2)]


def test_numbers() -> None:
    assert [number(0.78123), number(12.345, "mm"), number(1234.0, "{voxels}"), number(None), number(float("nan"))] == [
        "0.781",
        "12.3",
        "1,234",
        "\u2013",
        "\u2013",
    ]
    assert [limits(0.6, None), limits(217.0, 328.0), limits(None, 3.0), limits(float("nan"), None)] == [
        "≥ 0.6",
        "217\u2013328",
        "≤ 3",
        "",
    ]
    assert [file_size(12), file_size(1234567), file_size(2 * 10**9)] == ["12 bytes", "1.2 MB", "2.0 GB"]


def test_limits_that_differ_stand_in_the_order_of_the_models(make_inputs: MakeInputs) -> None:
    inputs = make_inputs()
    minima = {"heart": {"3d_fullres": 0.8, "2d": 0.7}, "esophagus": {"2d": 0.5}}
    qc = QualityControl.model_validate({"dice_minimum": minima})
    html = page(make_inputs(collection=inputs.collection.model_copy(update={"qc": qc})))
    rows = re.findall(r"<tr><th>Dice.*?</th><td class=\"n\">(.*?)</td>", html)
    assert rows == ["\u2013 / \u2265 0.5", "\u2265 0.8 / \u2265 0.7"], "3d_fullres first"
