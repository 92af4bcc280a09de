"""`ct-assets models fetch segthor`, from an archive as nnU-Net exports it on a server that speaks Zenodo's API."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ct_assets.cli.main import main
from ct_assets.organ_seg.nnunet_model import _weights_digest
from ct_assets.settings import settings
from resources.model_files import CONFIGURATIONS, nnunet_files
from resources.model_store import ModelStore
from resources.zenodo import CHUNK
from tests.resources import zenodo_server as servers
from tests.resources.segthor_archives import FIRST, SECOND, SEGTHOR, WEIGHTS, copied, exported, needed
from tests.resources.zenodo_server import Spoil, ZenodoServer

zenodo_server = servers.zenodo_server

CLI = [sys.executable, "-c", "from ct_assets.cli.main import main; main()"]
EXPORT = """
import sys
from nnunet.inference.pretrained_models.collect_pretrained_models import export_pretrained_model
export_pretrained_model("Task055_SegTHOR", sys.argv[1], folds=(0,), strict=False)
"""
CUT = 20 * CHUNK + 1000


@pytest.fixture(scope="module")
def files(model_home) -> dict[str, bytes]:
    """The demonstration models, three configurations of five folds."""
    return copied(model_home / "models/demo")


@pytest.fixture(scope="module")
def archive(files) -> bytes:
    return exported(files, "nnUNet/")


@pytest.fixture
def home(tmp_path, zenodo_server, archive, monkeypatch) -> Iterator[Path]:
    """An installation whose Zenodo is on loopback, and has the archive in the second record only."""
    zenodo_server.records[SECOND] = {"Task002_Heart.zip": b"heart", SEGTHOR.archive: archive}
    monkeypatch.setenv("CT_ASSETS_HOME", str(tmp_path))
    monkeypatch.setenv("CT_ASSETS_ZENODO", zenodo_server.endpoint)
    settings.cache_clear()
    yield tmp_path
    settings.cache_clear()


def _run(*arguments: object) -> Result:
    result = CliRunner().invoke(main, ["models", *(str(argument) for argument in arguments)])
    assert "Traceback" not in result.output
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def _installed(home: Path) -> dict[str, bytes]:
    folder = home / "models/segthor/nnUNet"
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _part(home: Path, archive: bytes) -> Path:
    return home / "models/.partial/segthor" / f"{hashlib.md5(archive).hexdigest()}.part"


def _asked(server: ZenodoServer) -> list[int]:
    """Bytes at which downloads began."""
    return [request.start for request in server.downloads]


def test_segthor_is_fetched_from_the_second_record_and_listed_with_the_digests_that_results_carry(
    home, zenodo_server, files, archive
):
    result = _run("fetch", "segthor")
    assert result.exit_code == 0, result.output
    assert [request.path for request in zenodo_server.requests][:2] == [
        f"/api/records/{FIRST}", f"/api/records/{SECOND}",
    ]  # fmt: skip
    assert _installed(home) == files
    assert [path.name for path in (home / "models").iterdir()] == ["segthor"]
    assert f"segthor installed: {home}/models/segthor" in result.output
    assert f"from Task055_SegTHOR.zip, https://doi.org/10.5281/zenodo.{SECOND}: read its terms there" in result.output
    source = json.loads((home / "models/segthor/model_source.json").read_text())
    assert (source["md5"], source["md5_compared"]) == (hashlib.md5(archive).hexdigest(), True)
    assert (source["zenodo_record"], source["size"]) == (SECOND, len(archive))
    listed = _run("list").output
    for configuration in CONFIGURATIONS:
        folder = ModelStore(root=f"{home}/models").nnunet("segthor", configuration)
        digest = _weights_digest(folder, [folder / f"fold_{fold}" / WEIGHTS for fold in range(5)])
        assert f"nnUNet/{configuration}: SHA-256 of the weights {digest}\n" in result.output
        (row,) = [line for line in listed.splitlines() if f"│ nnUNet/{configuration} " in line]
        assert f" {digest[:12]} " in row
        assert f"\nsegthor/nnUNet/{configuration}: doi:10.5281/zenodo.{SECOND}\n" in listed
    asked = len(zenodo_server.requests)
    assert "segthor is installed already, and is kept" in _run("fetch", "segthor").output
    assert len(zenodo_server.requests) == asked


def test_a_broken_download_is_continued_by_the_same_call_and_by_the_next(home, zenodo_server, files, archive):
    broken = {1: Spoil(cut_after=CUT), 3: Spoil(cut_after=CUT), 4: Spoil(status=403)}
    zenodo_server.spoil = lambda request: broken.get(len(zenodo_server.downloads)) if request.file else None
    assert _run("fetch", "segthor").exit_code == 0
    assert _installed(home) == files
    first, second = _asked(zenodo_server)
    assert first == 0
    assert CUT - CHUNK <= second <= CUT
    result = _run("fetch", "segthor", "--again")
    assert result.exit_code == 1
    assert "refuses a reader without an account (403)" in result.output
    assert _installed(home) == files
    there = _part(home, archive).stat().st_size
    assert CUT - CHUNK <= there <= CUT
    assert _run("fetch", "segthor", "--again").exit_code == 0
    assert _asked(zenodo_server)[-1] == there
    assert not (home / "models/.partial").exists()


def test_a_fetch_that_is_interrupted_is_continued_by_the_next(home, zenodo_server, files, archive):
    zenodo_server.spoil = lambda request: (
        Spoil(hold=threading.Event()) if request.file and len(zenodo_server.downloads) == 1 else None
    )
    part, there = _part(home, archive), len(archive) // 2 // CHUNK * CHUNK
    with subprocess.Popen([*CLI, "models", "fetch", "segthor"], env=dict(os.environ)) as process:
        limit = time.monotonic() + 60
        while not (part.is_file() and part.stat().st_size == there):
            assert time.monotonic() < limit
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
    assert process.returncode != 0
    assert [path.name for path in (home / "models").rglob("*") if path.is_file()] == [part.name]
    assert _run("fetch", "segthor").exit_code == 0
    assert _asked(zenodo_server) == [0, there]
    assert _installed(home) == files


def test_an_archive_of_another_md5_is_refused_and_removed(home, zenodo_server):
    zenodo_server.claim = lambda said: {**said, "checksum": f"md5:{'0' * 32}"}
    result = _run("fetch", "segthor")
    assert result.exit_code == 1
    assert f"not {'0' * 32} as record {SECOND} says; nothing was installed" in result.output
    assert not list((home / "models").iterdir())


def test_an_archive_that_is_not_safe_or_not_whole_is_refused_and_removed(home, zenodo_server):
    whole = needed()
    partial = {name: content for name, content in whole.items() if not name.endswith(f"fold_4/{WEIGHTS}")}
    for files, told in (
        ({**whole, "../evil": b""}, "member '../evil' leaves the folder; nothing was installed"),
        (partial, f"fold_4/{WEIGHTS} is missing"),
    ):
        zenodo_server.records[SECOND][SEGTHOR.archive] = exported(files)
        result = _run("fetch", "segthor")
        assert result.exit_code == 1
        assert f"Error: Task055_SegTHOR.zip of Zenodo record {SECOND}: " in result.output
        assert told in result.output
        assert not list((home / "models").iterdir())


def test_an_archive_at_hand_is_installed_with_what_it_has(home, zenodo_server, files):
    path = home / "mine.zip"
    one = {name: content for name, content in files.items() if name.startswith("3d_lowres/")}
    path.write_bytes(exported(one))
    result = _run("fetch", "segthor", "--archive", path)
    assert result.exit_code == 0, result.output
    assert _installed(home) == one
    assert "nnUNet/3d_lowres: SHA-256 of the weights " in result.output
    assert "not there: nnUNet/2d, nnUNet/3d_fullres\n" in result.output
    assert f"from mine.zip, MD5 {hashlib.md5(path.read_bytes()).hexdigest()}, which was not compared" in result.output
    assert not zenodo_server.requests
    listed = _run("list").output
    assert "\nsegthor/nnUNet/3d_lowres: from mine.zip, not compared with Zenodo\n" in listed
    assert "not there: nnUNet/2d, nnUNet/3d_fullres\n" in _run("fetch", "segthor").output


def test_what_nnunet_itself_exports_is_installed(home, model_home, tmp_path):
    results = tmp_path / "results"
    shutil.copytree(model_home / "models/demo/nnUNet", results / "nnUNet")
    for fold in results.glob("nnUNet/*/*/*/fold_0"):
        (fold / "debug.json").write_text("{}")
        (fold / "progress.png").write_bytes(b"")
    command = [sys.executable, "-c", EXPORT, str(tmp_path / "mine.zip")]
    done = subprocess.run(command, env={**os.environ, "RESULTS_FOLDER": str(results)}, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert _run("fetch", "segthor", "--archive", tmp_path / "mine.zip").exit_code == 0
    for configuration in CONFIGURATIONS:
        folder = ModelStore(root=f"{home}/models").nnunet("segthor", configuration)
        demo = ModelStore(root=f"{model_home}/models").nnunet("demo", configuration)
        names = [path.relative_to(demo) for path in (demo / "plans.pkl", *nnunet_files(demo))]
        assert [path.relative_to(folder) for path in (folder / "plans.pkl", *nnunet_files(folder))] == names
        assert all((folder / name).read_bytes() == (demo / name).read_bytes() for name in names)


def test_every_step_is_shown_on_a_terminal(home, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "160")
    output = _run("fetch", "segthor").output
    steps = ("downloading", "computing its MD5", "unpacking", "computing the digest of the weights")
    places = [output.index(f"segthor: {step}") for step in steps]
    assert places == sorted(places)
