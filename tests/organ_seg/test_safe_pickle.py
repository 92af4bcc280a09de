"""Model files come from outside: nothing in them is run."""

import pickle
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest

from ct_assets.organ_seg.nnunet_model import NnunetModel
from ct_assets.organ_seg.safe_pickle import UnsafePickleError, load_pickle
from ct_assets.provenance import ModelFormatError


class _Bomb:
    def __init__(self, target: Path) -> None:
        self._target = target

    def __reduce__(self):
        return Path.touch, (self._target,)


def test_plans_of_numbers_and_names_are_read(tmp_path):
    plans = OrderedDict(a=np.arange(6.0).reshape(2, 3), b=[np.float32(1.5), (1, None, "x")], c={1: {2, 3}})
    (tmp_path / "plans.pkl").write_bytes(pickle.dumps(plans))
    read = load_pickle(tmp_path / "plans.pkl")
    np.testing.assert_array_equal(read["a"], plans["a"])
    assert read["b"] == plans["b"]
    assert read["c"] == plans["c"]


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_a_foreign_type_is_refused_by_name_and_not_run(tmp_path, protocol):
    target = tmp_path / "ran"
    (tmp_path / "plans.pkl").write_bytes(pickle.dumps({"x": _Bomb(target)}, protocol=protocol))
    with pytest.raises(UnsafePickleError, match=r"plans\.pkl: refused, it asks for (pathlib|\w*builtin\w*)\."):
        load_pickle(tmp_path / "plans.pkl")
    assert not target.exists()


@pytest.mark.parametrize(
    "code", [b"cbuiltins\neval\n(S'1'\ntR.", b"cos\nsystem\n(S'true'\ntR.", b"cbuiltins\ngetattr\n."]
)
def test_builtins_that_run_code_are_refused(tmp_path, code):
    (tmp_path / "plans.pkl").write_bytes(code)
    with pytest.raises(UnsafePickleError):
        load_pickle(tmp_path / "plans.pkl")


def test_a_missing_fold_is_named(model_home):
    folder = next((model_home / "models/demo/nnUNet/3d_fullres").glob("*/*/fold_0")).parent
    with pytest.raises(ModelFormatError, match=r"fold_3 is missing; folds there: \(0,\)"):
        NnunetModel(folder, (0, 3), tta=False, step_size=0.5, precision="mixed", device="cpu")
