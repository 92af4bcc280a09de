"""The options of `ct-assets annotate`: its help teaches them, and what contradicts itself is refused."""

import pytest
from click.testing import CliRunner

from ct_assets.cli.main import main


def test_the_help_teaches():
    text = CliRunner().invoke(main, ["annotate", "--help"]).output
    for part in ("DICOM_DIR", "--models", "demonstration models", "--config", "Exit code"):
        assert part in text


@pytest.mark.parametrize("other", [["--tta"], ["--fold", "1"]])
def test_fast_does_not_go_with_what_it_decides(tmp_path, other):
    result = CliRunner().invoke(main, ["annotate", str(tmp_path), "--fast", *other])
    assert result.exit_code == 2
    assert "--fast is one fold, not mirrored: give it without --tta and --fold" in result.output
