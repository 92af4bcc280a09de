"""The commands about cohorts: what they show, and what they refuse in one line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from ct_assets.cli.main import main
from ct_assets.settings import settings
from ct_assets.store.paths import CohortFolder
from ct_assets.store.tables import CHARACTERISTICS

MINE = """
name: mine
title: Mine
demonstration: true
source: {{kind: folder, path: {path}}}
selection: {{minimum_slices: 30}}
organ_segmentation: {{model: demo}}
body_part_regression: {{model: demo}}
"""


@pytest.fixture
def installation(tmp_path, shared_data, monkeypatch):
    """An installation with one collection: the real series, of which one has enough slices and geometry."""
    folder = tmp_path / "collections"
    folder.mkdir()
    (folder / "mine.yaml").write_text(MINE.format(path=shared_data / "real"))
    for name in ("collections", "home", "state"):
        monkeypatch.setenv(f"CT_ASSETS_{name.upper()}", str(tmp_path / name))
    monkeypatch.setenv("COLUMNS", "100")
    settings.cache_clear()
    yield tmp_path
    settings.cache_clear()


def _run(*arguments: object):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert "Traceback" not in result.output
    return result


def test_the_cohort_command_shows_flow_and_characteristics_and_writes_the_tables(installation):
    result = _run("cohort", "mine")
    assert result.exit_code == 0, result.output
    for part in ("regular_spacing", "not_localizer", "patients", "Tables and manifests"):
        assert part in result.output
    folder = CohortFolder(installation / "home/mine/cohort")
    assert CHARACTERISTICS.read(folder.characteristics)["after"].iloc[2] == 3
    again = folder.manifest.read_bytes()
    assert _run("cohort", "mine").exit_code == 0
    assert folder.manifest.read_bytes() == again


@pytest.mark.parametrize("broken", ["selection: {profile: published, spacing_tolerance: 1}", "name: [", "x: 1"])
def test_a_broken_yaml_is_named_without_a_traceback(installation, broken):
    path = installation / "collections/mine.yaml"
    path.write_text(path.read_text().replace("selection:", "was:") + broken)
    result = _run("cohort", "mine")
    assert result.exit_code == 1
    assert result.output.startswith(f"Error: {path}: ")


def test_so_is_that_of_another_collection(installation):
    (installation / "collections/other.yaml").write_text("name: other\n")
    command = [str(Path(sys.executable).parent / "ct-assets"), "cohort", "mine"]
    result = subprocess.run(command, capture_output=True, text=True, check=False, env=dict(os.environ))
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert "other.yaml: key title: field required" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["cohort", "other"], "there is no collection other; there are: mine"),
        (["cohort", "../collections/mine"], "there is no collection ../collections/mine"),
        (["fetch", "mine"], "has nothing to fetch: its files are in"),
        (["fetch", "other"], "there is no collection other"),
        (["fetch", "gone.json", "--out", "x"], "gone.json: is no manifest of a cohort"),
    ],
)
def test_what_cannot_be_done_is_one_line(installation, arguments, told):
    result = _run(*arguments)
    assert result.exit_code == 1
    assert told in result.output
