"""The runbooks: every error leads to a page, every page is there, and what it quotes the product does say."""

import importlib
import re
from pathlib import Path

import pytest

from ct_assets.runbooks import FOLDER, RUN_FAILED, RUNBOOKS, runbook_for

REPOSITORY = Path(__file__).resolve().parent.parent
PAGES = REPOSITORY / FOLDER
_LINK = re.compile(r"\]\(([^)#]+)(#[^)]*)?\)")
_OWN = ("ct_assets", "resources")


def test_every_page_that_is_named_is_there_and_every_page_is_reached_from_the_index():
    named = {Path(runbook.path).name for runbook in RUNBOOKS}
    there = {page.name for page in PAGES.glob("*.md")}
    linked = {link for link, _ in _LINK.findall((PAGES / "README.md").read_text())}
    assert named <= there
    assert there - {"README.md"} <= linked


@pytest.mark.parametrize("page", sorted(PAGES.glob("*.md")), ids=lambda page: page.stem)
def test_every_page_has_its_parts_and_its_links_lead_somewhere(page):
    text = page.read_text()
    for link, _ in _LINK.findall(text):
        assert link.startswith("http") or (page.parent / link).exists(), link
    if page.name != "README.md":
        headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
        assert headings == ["What you see", "What it means", "How to check", "How to mend", "How to be sure"]


def _said() -> str:
    """What the product and Dagster can say, with what is filled in left out."""
    import dagster

    own = [path for name in _OWN for path in (REPOSITORY / name).rglob("*.py")] + list(REPOSITORY.glob("sensors/*.py"))
    monitoring = Path(dagster.__file__).parent / "_daemon/monitoring/run_monitoring.py"
    code = "\n".join(
        path.read_text()
        for path in [*own, monitoring, Path(dagster.__file__).parent / "_core/instance/methods/event_methods.py"]
    )
    joined = re.sub(r'"\s*\n\s*f?"', "", code)
    return re.sub(r"\{[^{}]*\}", "…", joined)


@pytest.mark.parametrize("page", sorted(PAGES.glob("*.md")), ids=lambda page: page.stem)
def test_what_a_page_quotes_as_our_message_is_our_message(page):
    """A line of the first code block is what the product says; … stands for what is filled in."""
    block = re.search(r"## What you see\n.*?```text\n(.*?)```", page.read_text(), re.DOTALL)
    if page.name == "README.md":
        return
    assert block, f"{page.name} quotes no message"
    said = _said()
    for line in block[1].strip().splitlines():
        parts = [part.strip(" .:;,()'") for part in line.split("…")]
        assert max(map(len, parts)) > 8, f"{page.name}: {line!r} says too little to be found"
        for part in parts:
            assert part in said, f"{page.name}: nobody says {part!r}"


def test_every_class_that_leads_to_a_page_exists():
    ours = {
        name
        for package in _OWN
        for path in (REPOSITORY / package).rglob("*.py")
        for name in re.findall(r"^class (\w+)\(", path.read_text(), re.MULTILINE)
    }
    theirs = {
        "OutOfMemoryError": "ray.exceptions",
        "OperationalError": "sqlalchemy.exc",
        "InterfaceError": "sqlalchemy.exc",
        "ImageFileError": "nibabel.filebasedimages",
        "ArrowInvalid": "pyarrow",
        "EOFError": "builtins",
        "BadGzipFile": "gzip",
    }
    for runbook in RUNBOOKS:
        for name in runbook.classes:
            assert name in ours or hasattr(importlib.import_module(theirs[name]), name), name


@pytest.mark.parametrize(
    ("classes", "text", "page"),
    [
        (["OSError"], "[Errno 28] No space left on device: '/x'", "disk-full"),
        (["NoSpaceError"], "/x: the model needs 2 GB and 1 GB are free", "disk-full"),
        (["RayTaskError", "GpuMemoryError"], "the GPU has too little memory", "gpu-out-of-memory"),
        (["OutOfMemoryError"], "CUDA out of memory. Tried to allocate 2 GiB", "gpu-out-of-memory"),
        (["ModelProcessDiedError", "ActorDiedError"], "ended", "model-process-died"),
        (["FetchFailedError"], "s3://x", "dicom-source-unreachable"),
        (["OperationalError"], "connection refused", "database-unreachable"),
        (["RecordError"], "ct.json is damaged or of another version", "damaged-file-in-store"),
        ([], "Detected run worker status FAILED. Marking run 1 as failed.", "run-lost"),
        (["KeyError"], "'x'", "run-failed"),
    ],
)
def test_an_error_leads_to_its_page(classes, text, page):
    assert runbook_for(classes, [text]).page == page
    assert RUNBOOKS[-1] is RUN_FAILED
