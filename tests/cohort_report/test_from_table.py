"""A report from a table alone: published values give the published figures, and bad tables are refused by row."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result

from ct_assets.cli.main import main
from ct_assets.cohort_report.figures import paper_figures
from ct_assets.cohort_report.from_table import TableContent, TableError, read_table, reported
from ct_assets.cohort_report.series_index import SeriesIndex
from ct_assets.collection import Collection, load_collection
from ct_assets.store.tables import QC, SHAPE_FEATURES

COLLECTIONS = Path(__file__).resolve().parents[2] / "collections"
HEAD = "PatientID,StudyInstanceUID,SeriesInstanceUID,SeriesDescription,region,Sphericity"
ROW = "P1,1.2.1,1.2.1.1,3d_fullres-tta_nnU-Net_Measurements,Heart,0.8"


def collection_named(name: str) -> Collection:
    return load_collection(COLLECTIONS / f"{name}.yaml")


@pytest.fixture(scope="module", params=["nlst", "nsclc_radiomics"])
def published(request: pytest.FixtureRequest, shared_data: Path) -> tuple[Collection, TableContent, pd.DataFrame]:
    file = {"nlst": "nlst_sphericity", "nsclc_radiomics": "nsclc_radiomics_heart_sphericity"}[request.param]
    path = shared_data / "published" / f"{file}.csv"
    collection = collection_named(request.param)
    return collection, read_table(path, collection), pd.read_csv(path, dtype={"PatientID": str})


def samples(table: pd.DataFrame, *, figure: int) -> dict[str, pd.DataFrame]:
    """Return the rows of the CSV of each group of figure 5 or 6."""
    if figure == 6:
        return {str(region).lower(): part for region, part in table.groupby("region")}
    model = table["SeriesDescription"].str.extract(r"^(2d|3d_lowres|3d_fullres|Manual)")[0]
    return {str(name).lower(): table[model == name] for name in ("2d", "3d_lowres", "3d_fullres", "Manual")}


def test_figures_equal_numpy_on_the_table(published: tuple[Collection, TableContent, pd.DataFrame]) -> None:
    collection, content, table = published
    number = 6 if collection.name == "nlst" else 5
    figures = paper_figures(content.qc, reported(collection, content), SeriesIndex(content.qc))
    shown = next(figure for figure in figures if figure.number == number).summary.set_index("group")
    expected = samples(table, figure=number)
    assert shown["n"].to_dict() == (
        dict.fromkeys(("aorta", "esophagus", "heart", "trachea"), 1039)
        if number == 6
        else {"2d": 414, "3d_lowres": 414, "3d_fullres": 414, "manual": 122}
    )
    for group, rows in expected.items():
        q1, median, q3 = np.percentile(rows["Sphericity"].to_numpy(), [25, 50, 75])
        fences = [q1 - 1.5 * (q3 - q1), q3 + 1.5 * (q3 - q1)]
        columns = ["q1", "median", "q3", "lower_fence", "upper_fence"]
        assert shown.loc[group, columns].tolist() == [q1, median, q3, *fences]
        outside = (rows["Sphericity"] < fences[0]) | (rows["Sphericity"] > fences[1])
        assert shown.loc[group, "outliers"] == outside.sum()


def test_series_that_fail_are_the_outliers(published: tuple[Collection, TableContent, pd.DataFrame]) -> None:
    collection, content, table = published
    expected: set[tuple[str, str]] = set()
    figure = 6 if collection.name == "nlst" else 5
    for group, rows in samples(table, figure=figure).items():
        q1, q3 = np.percentile(rows["Sphericity"].to_numpy(), [25, 75])
        low, high = q1 - 1.5 * (q3 - q1), q3 + 1.5 * (q3 - q1)
        outside = rows[(rows["Sphericity"] < low) | (rows["Sphericity"] > high)]
        if group != "manual":  # which no rule judges
            expected |= {(group, uid) for uid in outside["SeriesInstanceUID"]}
    failing = content.qc[(content.qc["rule"] == "sphericity") & (content.qc["outcome"] == "fail")]
    group_of = failing["subject" if figure == 6 else "model"]
    assert set(zip(group_of, failing["SeriesInstanceUID"], strict=True)) == expected
    assert expected
    assert set(failing["limits_from"]) == {f"cohort, n = {1039 if figure == 6 else 414:,}"}


def test_rows_are_the_stores_tables(published: tuple[Collection, TableContent, pd.DataFrame]) -> None:
    _, content, table = published
    assert list(content.qc.columns) == list(QC.columns)
    assert list(content.features.columns) == list(SHAPE_FEATURES.columns)
    assert len(content.qc) == len(content.features) == len(table)
    assert content.left_out == ()


def read(tmp_path: Path, text: str, name: str = "nlst") -> TableContent:
    path = tmp_path / "mine.csv"
    path.write_text(text)
    return read_table(path, collection_named(name))


def test_features_metrics_and_published_names(tmp_path: Path) -> None:
    content = read(
        tmp_path,
        "PatientID,StudyInstanceUID,SeriesInstanceUID,model,structure_name,dice_score,hausdorff_distance_95,VoxelVolume,url\n"
        "P1,1.2.1,1.2.1.1,2d-tta_nnU-Net_Segmentation,Heart,0.5,3.5,700000,x\n"
        "P1,1.2.1,1.2.1.1,Manual_segmentations_Measurements,Heart,,,650000,x\n"
        "P2,1.2.2,1.2.2.1,2d-tta_nnU-Net_Segmentation,Esophagus,0.9,,40000,x\n",
    )
    rows = content.qc.set_index(["metric", "model", "subject"])
    assert rows.loc[("volume", "2d", "heart"), ["value", "unit"]].tolist() == [700.0, "mL"]
    assert rows.loc[("volume", "expert", "heart"), "outcome"] == ""
    assert rows.loc[("dice", "2d", "heart"), "outcome"] == "fail"
    assert rows.loc[("dice", "2d", "esophagus"), "outcome"] == "pass"
    assert rows.loc[("hd95_volumetric", "2d", "esophagus"), ["outcome", "explanation"]].tolist() == [
        "not evaluated",
        "the table has no value",
    ]
    assert ("dice", "expert", "heart") not in rows.index
    assert set(content.features["feature"]) == {"VoxelVolume"}
    assert content.left_out == ("url",)
    assert reported(collection_named("nlst"), content).models == ("2d",)


def test_parquet_is_the_same(tmp_path: Path, shared_data: Path) -> None:
    csv = shared_data / "published" / "nsclc_radiomics_heart_sphericity.csv"
    pd.read_csv(csv, dtype={"PatientID": str}).to_parquet(tmp_path / "same.parquet")
    collection = collection_named("nsclc_radiomics")
    expected, found = read_table(csv, collection), read_table(tmp_path / "same.parquet", collection)
    pd.testing.assert_frame_equal(found.qc, expected.qc)
    pd.testing.assert_frame_equal(found.features, expected.features)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (HEAD.replace(",region", "") + "\n" + ROW.replace(",Heart", ""), ["columns are missing: region", "PatientID"]),
        (HEAD.replace("Sphericity", "Sphericty") + "\n" + ROW, ["no column of values", "Elongation"]),
        (HEAD + "\n", ["has no rows"]),
        ("", ["cannot be read as a table"]),
        (f"{HEAD}\n{ROW}\n{ROW}\n", ["those of a row before", "row 3"]),
        (f"{HEAD}\n\n{ROW}\n\n{ROW}\n\n", ["those of a row before", "row 5"]),
        (f"{HEAD}\n{ROW.replace('3d_fullres', 'Expertise')}\n", ["begins with none of 2d", "row 2"]),
        (f"{HEAD}\n{ROW.replace('0.8', 'high')}\n", ["Sphericity is no finite number", "row 2 ('high')"]),
        (f"{HEAD}\n{ROW.replace('0.8', 'inf')}\n", ["no finite number"]),
        (f"{HEAD}\n{ROW.replace('1.2.1.1', '../1')}\n", ["SeriesInstanceUID is no DICOM UID", "row 2 ('../1')"]),
        (f"{HEAD}\n{ROW.replace('P1', '')}\n", ["PatientID is empty: row 2"]),
        (f"{HEAD}\n{ROW.replace('Heart', 'Liver')}\n", ["region is none of esophagus, heart", "row 2 ('Liver')"]),
        (f"{HEAD}\n{ROW.replace('3d_fullres', '3d_cascade')}\n", ["begins with none of 2d", "row 2"]),
        (f"{HEAD}\n{ROW}\n{ROW.replace('P1', 'P2').replace('Heart', 'Aorta')}\n", ["PatientID differs", "3 ('P2')"]),
        (f"{HEAD}\n" + "\n".join(ROW.replace("0.8", f"x{k}").replace("1.2.1.1", f"1.2.1.{k}") for k in range(9)),
         ["rows 2 ('x0'), 3 ('x1')", "and 4 more"]),
    ],
)  # fmt: skip
def test_a_bad_table_is_refused_by_column_and_row(tmp_path: Path, text: str, named: list[str]) -> None:
    with pytest.raises(TableError) as error:
        read(tmp_path, text)
    for part in (*named, "mine.csv"):
        assert part in str(error.value)


def run(*arguments: object) -> Result:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert "Traceback" not in result.output
    return result


def test_the_command_writes_the_page(tmp_path: Path, shared_data: Path) -> None:
    table = shared_data / "published" / "nlst_sphericity.csv"
    result = run("report", table, "--collection", "nlst", "--out", tmp_path / "page.html")
    assert result.exit_code == 0, result.output
    assert "1,039 series," in result.output
    html = (tmp_path / "page.html").read_text()
    assert "National Lung Screening Trial" in html
    assert "the table nlst_sphericity.csv alone (SHA-256 " in html
    assert "viewer.imaging.datacommons.cancer.gov" in html
    assert "qc.html" not in html.split('id="series-table"')[1].split("</table>")[0]
    assert "shift-click" not in html.split('id="figures"')[1].split("<script")[0]


def test_the_command_says_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("a,b\n1,2\n")
    result = run("report", tmp_path / "mine.csv", "--collection", "nlst")
    assert result.exit_code == 1
    assert "columns are missing: PatientID" in result.output
    assert run("report", tmp_path / "none.csv", "--collection", "nlst").exit_code == 1
    result = run("report", tmp_path / "mine.csv", "--collection", "unknown")
    assert "there is no collection unknown; there are: demo, nlst" in result.output
