"""Peak memory of writing one SEG: prints it in bytes. A process of its own, because a peak never falls again.

The peak counted is the one above what the process held before, with all modules imported and the CT's headers read;
for a program of dcmqi it is the program's whole peak.
"""

import os
import subprocess
import sys
from pathlib import Path

from benchmarks.own_memory import PeakMemory


def main(kind: str, *arguments: str) -> None:
    """Measure ours on a folder of the benchmark, or a program with its arguments."""
    print(ours(Path(arguments[0])) if kind == "ours" else program(arguments))


def program(command: tuple[str, ...]) -> int:
    """Return the peak of a program; a child starts with the peak of its parent, which is small here."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(process.returncode)
    return usage.ru_maxrss * 1024


def ours(folder: Path) -> int:
    """Return the peak from label map file to SEG."""
    from benchmarks.dicom_input import Scan
    from ct_assets.ct_nifti.volume import load_label_map
    from ct_assets.dicom.series import CtSeries
    from ct_assets.dicom.written import write_objects
    from ct_assets.dicom_seg.writer import plan_seg

    scan = Scan.open(folder)
    series = CtSeries.read(scan.files)
    peak = PeakMemory()
    labels = load_label_map(scan.label_map)
    plan = plan_seg(lambda: series, scan.record, labels, scan.seg_record, folder / "memory.dcm")
    write_objects([plan], plan.target.with_suffix(".json"))
    return peak.bytes()


if __name__ == "__main__":
    main(*sys.argv[1:])
