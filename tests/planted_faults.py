"""What is wrong in the demo collection by design, and shows after it was annotated."""

from dataclasses import dataclass
from pathlib import Path

from ct_assets.store.paths import CollectionFolder
from ct_assets.store.tables import QC


@dataclass(frozen=True)
class PlantedFaults:
    """The series with the shifted expert, and the one that was scanned short."""

    misdrawn: str
    short: str


def planted_faults(home: Path, selected: list[str]) -> PlantedFaults:
    """Find the planted faults in the results: the shifted expert fails Dice, the short scan is not measurable.

    All other series pass every rule, or this fails.
    """
    folder = CollectionFolder(home / "demo")
    tables = {uid: QC.read(folder.series(uid).qc_table) for uid in selected}
    failed = {uid: set(table.loc[table["outcome"] == "fail", "rule"]) for uid, table in tables.items()}
    assert sorted(failed.values(), key=len) == [set()] * 5 + [{"dice", "hausdorff"}], failed
    [misdrawn] = [uid for uid in selected if failed[uid]]
    [short] = [uid for uid, table in tables.items() if (table["outcome"] == "not measurable").any()]
    rows = tables[short].query("outcome == 'not measurable'")
    assert set(rows["rule"]) == {"lung_extent", "lung_ends"}
    assert set(rows["explanation"]) == {"lung_end not located: beyond the scored slices"}
    return PlantedFaults(misdrawn, short)
