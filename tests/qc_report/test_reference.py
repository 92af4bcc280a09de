"""The reference that ships with the project is what the published values say."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ct_assets.qc_report.reference import published, reference_citation, reference_entries

QUANTILES = {"minimum": 0, "p05": 5, "q1": 25, "median": 50, "q3": 75, "p95": 95, "maximum": 100}


@pytest.mark.parametrize(
    ("file", "collection"),
    [("nlst_sphericity.csv", "NLST"), ("nsclc_radiomics_heart_sphericity.csv", "NSCLC-Radiomics")],
)
def test_sphericities_are_those_of_every_published_series(shared_data: Path, file: str, collection: str) -> None:
    published_values = pd.read_csv(shared_data / "published" / file)
    entries = [entry for entry in reference_entries() if (entry.collection, entry.metric) == (collection, "sphericity")]
    assert len(entries) == 4
    for entry in entries:
        description = published_values["SeriesDescription"]
        model = description.str.split("-").str[0].where(description.str.contains("nnU-Net"), "expert")
        mine = (model == entry.model) & (published_values["region"].str.lower() == entry.subject)
        values = published_values.loc[mine, "Sphericity"]
        assert entry.n == len(values)
        for name, percent in QUANTILES.items():
            assert getattr(entry, name) == pytest.approx(np.percentile(values, percent), abs=1e-9), (entry, name)


def test_every_entry_says_whose_it_is_where_from_and_how_it_is_biased() -> None:
    for entry in reference_entries():
        assert entry.collection in {"NLST", "NSCLC-Radiomics"}
        assert len(entry.source) > 40
        assert len(entry.bias) > 40
        known = [entry.minimum, entry.p05, entry.q1, entry.median, entry.q3, entry.p95, entry.maximum]
        numbers = [value for value in known if value is not None]
        assert numbers == sorted(numbers)
    assert "s41597-023-02864-y" in reference_citation()


def test_what_a_value_is_compared_with() -> None:
    def found(*key: str) -> tuple[str, str] | None:
        entry = published(*key)
        return None if entry is None else (entry.collection, entry.model)

    assert found("sphericity", "heart", "3d_fullres") == ("NLST", "3d_fullres"), "the larger of two collections"
    assert found("sphericity", "heart", "2d") == ("NSCLC-Radiomics", "2d")
    assert found("sphericity", "aorta", "2d") == ("NLST", "3d_fullres"), "nothing is published for 2d"
    assert found("sphericity", "heart", "expert") == ("NSCLC-Radiomics", "expert")
    assert found("sphericity", "aorta", "expert") is None, "an expert's organ is not compared with a model's"
    assert found("lung_extent", "lung", "demo") == ("NLST", "")
    assert found("volume", "heart", "3d_fullres") is None
