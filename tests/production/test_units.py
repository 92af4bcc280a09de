"""The files of `deploy` by themselves: systemd accepts the units, and nothing that they need is left unset."""

import re
import subprocess

import pytest
import yaml

from tests.production.units import DEPLOY, placed
from tests.service import REPOSITORY

UNITS = sorted((DEPLOY / "systemd").glob("*.service"))


def test_systemd_accepts_the_units_without_a_remark(tmp_path):
    for unit in (DEPLOY / "systemd").iterdir():
        (tmp_path / unit.name).write_text(placed(unit.read_text(), tmp_path))
    verify = ["systemd-analyze", "verify", "--man=no", *sorted(str(path) for path in tmp_path.iterdir())]
    said = subprocess.run(verify, capture_output=True, text=True, timeout=60, check=False)
    assert (said.returncode, said.stdout + said.stderr) == (0, "")


def test_the_target_starts_every_unit():
    wanted = re.findall(r"ct-assets-\w+\.service", (DEPLOY / "systemd/ct-assets.target").read_text())
    assert sorted(wanted) == [unit.name for unit in UNITS]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_unit_has_a_user_without_privileges_and_a_read_only_system(unit):
    lines = set(unit.read_text().splitlines())
    assert {"User=ct-assets", "NoNewPrivileges=yes", "ProtectSystem=strict", "PrivateTmp=yes"} <= lines
    assert "PartOf=ct-assets.target" in lines


def test_every_variable_that_is_read_is_in_the_example():
    example = set(re.findall(r"^(\w+)=", (DEPLOY / "ct-assets.env.example").read_text(), re.MULTILINE))
    in_units = {name for unit in UNITS for name in re.findall(r"\$\{(\w+)\}", unit.read_text())}
    files = ("dagster.yaml", "workspace.yaml")
    in_configuration = {name for file in files for name in re.findall(r"env: (\w+)", (DEPLOY / file).read_text())}
    assert in_units
    assert in_configuration
    assert in_units | in_configuration <= example


def test_a_server_treats_runs_as_one_person_s_instance_does():
    server, own = (yaml.safe_load(path.read_text()) for path in (DEPLOY / "dagster.yaml", REPOSITORY / "dagster.yaml"))
    assert server["concurrency"]["runs"].pop("max_concurrent_runs") > own["concurrency"]["runs"].pop(
        "max_concurrent_runs"
    )
    for storage_or_retention in ("storage", "retention"):
        server.pop(storage_or_retention)
        own.pop(storage_or_retention, None)
    assert server == own
