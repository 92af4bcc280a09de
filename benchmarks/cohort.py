"""Benchmark of cohort selection: NLST's 21 million instances on DuckDB, and the header index against a pydicom loop.

Run by `make bench-cohort`; prints one JSON line last.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.ct_files import pydicom_loop, write_ct_files
from ct_assets.cohort_table.index.header_index import index_folder
from ct_assets.cohort_table.selection import characteristics, cohort, selection_flow
from ct_assets.cohort_table.source.folder import judge_instances
from ct_assets.collection import Collection

CORES = 2
CT_FILES = 2000
REPETITIONS = 3


def main() -> None:
    """Run both parts and print the figures."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    with tempfile.TemporaryDirectory(prefix="bench-cohort-") as scratch:
        figures = {**_selection(Path(scratch)), **_index(Path(scratch) / "ct")}
    print(json.dumps(figures))


def _selection(scratch: Path) -> dict[str, float]:
    """Select in a process of its own, so that its peak memory is its own."""
    instances, patients = scratch / "instances.parquet", scratch / "nlst_prsn.csv"
    started = time.perf_counter()
    # Made in a process of its own too: a child starts with the peak memory of the process that forks it.
    subprocess.run([sys.executable, "-m", "benchmarks.nlst_table", str(instances), str(patients)], check=True)
    print(f"made {instances.stat().st_size / 1e9:.2f} GB of instance table in {time.perf_counter() - started:.0f} s")
    command = [sys.executable, "-m", "benchmarks.cohort", str(instances), str(patients)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        *flow, last = process.stdout.read().splitlines()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"the selection ended with exit code {process.returncode}")
    print("\n".join(flow))
    return {
        "nlst_scale_seconds": round(float(last), 1),
        "nlst_scale_peak_gb": round(usage.ru_maxrss * 1024 / 1e9, 2),
        "nlst_scale_cpu_seconds": round(usage.ru_utime + usage.ru_stime, 1),
        "published_bigquery_seconds": 1253,
    }


def select(instances: Path, patients: Path) -> None:
    """Select as collections/nlst.yaml does; print the flow, and last the seconds from Parquet to cohort table."""
    collection = Collection.model_validate(
        {
            "name": "nlst",
            "title": "NLST",
            "demonstration": True,
            "source": {"kind": "folder", "path": "/unused"},
            "selection": {
                "minimum_slices": 101,
                "slice_thickness_mm": [1.5, 3.0],
                "one_series_per_study": True,
                "clinical": {"table": str(patients), "patient_id": "pid", "column": "can_scr", "values": [1]},
            },
            "organ_segmentation": {"model": "demo"},
            "body_part_regression": {"model": "demo"},
        }
    )
    started = time.perf_counter()
    judged = judge_instances(collection, instances)
    table = cohort(judged.series, judged.criteria, collection.selection, collection=collection.name)
    flow = selection_flow(judged.series, judged.criteria)
    seconds = time.perf_counter() - started
    print(flow.drop(columns="description").to_string(index=False))
    print(characteristics(table).to_string(index=False))
    print(seconds)


def _index(folder: Path) -> dict[str, float]:
    """Index and read by pydicom in turn, on warm files; medians."""
    write_ct_files(folder, CT_FILES)
    pydicom_loop(folder)
    ours, peer = [], []
    for _ in range(REPETITIONS):
        started = time.perf_counter()
        assert len(index_folder(folder)) == CT_FILES
        ours.append(time.perf_counter() - started)
        started = time.perf_counter()
        assert pydicom_loop(folder) == CT_FILES
        peer.append(time.perf_counter() - started)
    print(f"index of {CT_FILES} files: {ours} s; pydicom loop: {peer} s")
    return {
        "index_files_per_second": round(CT_FILES / statistics.median(ours)),
        "index_speedup_vs_pydicom_loop": round(statistics.median(peer) / statistics.median(ours), 2),
        "index_peak_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9, 2),
    }


if __name__ == "__main__":
    if len(sys.argv) > 1:
        select(*map(Path, sys.argv[1:3]))
    else:
        main()
