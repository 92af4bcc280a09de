"""The commands about models, as a user calls them."""

import pytest
from click.testing import CliRunner

from ct_assets.bpr_json.bpreg_model import BpregModel
from ct_assets.cli.main import main
from ct_assets.settings import settings
from resources.model_files import bpreg_digest
from resources.model_store import ModelStore
from tests.resources import zenodo_server as servers
from tests.resources.model_archives import BPR, FILES, RECORD, archive
from tests.resources.zenodo_server import Spoil

zenodo_server = servers.zenodo_server

ARCHIVE = archive({**FILES, "model.pt": b"weights" * 1000})


@pytest.fixture
def home(tmp_path, zenodo_server, monkeypatch):
    """An installation whose Zenodo is on loopback."""
    zenodo_server.records[RECORD] = {BPR.archive: ARCHIVE}
    monkeypatch.setenv("CT_ASSETS_HOME", str(tmp_path))
    monkeypatch.setenv("CT_ASSETS_ZENODO", zenodo_server.endpoint)
    settings.cache_clear()
    yield tmp_path
    settings.cache_clear()


def _run(*arguments: object):
    result = CliRunner().invoke(main, ["models", *(str(argument) for argument in arguments)])
    assert "Traceback" not in result.output
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def _row(output: str, name: str) -> str:
    """Return the first row of a model."""
    return next(line for line in output.splitlines() if line.startswith(f"│ {name} "))


def test_a_model_is_fetched_once(home, zenodo_server):
    result = _run("fetch", "bpr_public")
    assert result.exit_code == 0, result.output
    digest = bpreg_digest(home / "models/bpr_public/bpreg")
    assert f"bpr_public installed: {home}/models/bpr_public" in result.output
    assert f"bpreg: SHA-256 of the weights {digest}" in result.output
    assert "from public_bpr_model.zip, version 1.1, https://doi.org/10.5281/zenodo.5113483" in result.output
    asked = len(zenodo_server.requests)
    result = _run("fetch", "bpr_public")
    assert result.exit_code == 0
    assert "bpr_public is installed already, and is kept (--again replaces it)" in result.output
    assert len(zenodo_server.requests) == asked
    output = _run("list").output
    for part in (" bpreg ", "7.02 kB", digest[:12], " no "):
        assert part in _row(output, "bpr_public")
    assert "\nbpr_public/bpreg: version 1.1, doi:10.5281/zenodo.5113483\n" in output
    (home / "models/bpr_public/bpreg/config.json").write_text("{}")
    assert "they were changed since" in _run("fetch", "bpr_public").output
    assert "not the weights that were installed" in _run("list").output
    assert "bpr_public installed" in _run("fetch", "bpr_public", "--again").output
    assert bpreg_digest(home / "models/bpr_public/bpreg") == digest


def test_an_archive_at_hand_needs_no_network(home, zenodo_server, tmp_path):
    path = tmp_path / "mine.zip"
    path.write_bytes(ARCHIVE)
    result = _run("fetch", "bpr_public", "--archive", path)
    assert result.exit_code == 0, result.output
    assert "from mine.zip, MD5 " in result.output
    assert "was not compared with Zenodo" in result.output
    assert "from mine.zip, not compared with Zenodo" in _run("list").output
    assert not zenodo_server.requests


def test_what_is_missing_is_listed_with_how_to_get_it(home):
    output = _run("list").output
    assert "\nbpr_public: fetch it with: ct-assets models fetch bpr_public\n" in output
    assert "\nsegthor: fetch it with: ct-assets models fetch segthor\n" in output
    assert "\ndemo: install the demonstration models with: ct-assets demo --models-only\n" in output
    for name in ("bpr_public", "demo", "segthor"):
        assert "not installed" in _row(output, name)
    assert not (home / "models").exists()


def test_the_demonstration_models_are_listed_with_the_digests_that_results_carry(model_home):
    output = _run("list").output
    row = _row(output, "demo")
    folder = ModelStore(root=f"{model_home}/models").bpreg("demo")
    assert " bpreg " in row
    assert " yes " in row
    assert BpregModel(folder, "cpu").weights_digest[:12] in row
    for configuration in ("2d", "3d_lowres", "3d_fullres"):
        assert f"nnU-Net v1 {configuration} " in output


def test_a_fetched_model_is_loaded(home, model_home, zenodo_server, monkeypatch):
    demo = model_home / "models/demo/bpreg"
    content = archive({path.name: path.read_bytes() for path in demo.iterdir()}, "any name/")
    zenodo_server.records[RECORD] = {BPR.archive: content}
    assert _run("fetch", "bpr_public").exit_code == 0
    folder = ModelStore(root=str(home / "models")).bpreg("bpr_public")
    assert BpregModel(folder, "cpu").weights_digest == bpreg_digest(demo)
    assert not ModelStore(root=str(home / "models")).card("bpr_public")


@pytest.mark.parametrize(
    ("arguments", "told", "code"),
    [
        (["fetch", "other"], "Error: other cannot be fetched; what can: bpr_public, segthor\n", 1),
        (["fetch", "../x"], "Error: ../x cannot be fetched", 1),
        (["fetch", "demo"], "For demo, install the demonstration models with: ct-assets demo --models-only", 1),
        (["fetch", "segthor", "--archive", __file__], "test_cli_models.py: is no ZIP archive", 1),
        (["fetch", "bpr_public", "--archive", "gone.zip"], "File 'gone.zip' does not exist", 2),
        (["fetch", "bpr_public", "--archive", __file__], "test_cli_models.py: is no ZIP archive", 1),
    ],
)
def test_what_cannot_be_done_is_one_line(home, arguments, told, code):
    result = _run(*arguments)
    assert result.exit_code == code
    assert told in result.output


def test_so_is_what_zenodo_refuses(home, zenodo_server):
    zenodo_server.spoil = lambda request: Spoil(status=404)
    result = _run("fetch", "bpr_public")
    assert result.exit_code == 1
    assert result.output.startswith("Error: ")
    assert "/api/records/5113483 does not exist (404)" in result.output
    (home / "models").rmdir()
    (home / "models").write_text("a file")
    assert "Error: cannot write to" in _run("fetch", "bpr_public").output


def test_an_address_that_is_none_is_named(home, monkeypatch):
    monkeypatch.setenv("CT_ASSETS_ZENODO", "zenodo.org")
    settings.cache_clear()
    assert "CT_ASSETS_ZENODO: String should match pattern" in _run("list").output
