"""A trivial model stays loaded in this process; without a Ray cluster the error says what to do."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from resources.compute import Compute, ComputeUnavailableError, Resident

TRIVIAL = """
import os
import numpy as np

LOADS = []

def load(offset):
    LOADS.append(offset)
    return lambda volume: (volume + offset, os.getpid(), len(LOADS))
"""


@pytest.fixture(scope="module")
def trivial(tmp_path_factory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("trivial")
    (folder / "trivial_model.py").write_text(TRIVIAL)
    sys.path.insert(0, str(folder))
    yield folder
    sys.path.remove(str(folder))


def test_in_process_a_model_is_loaded_once_for_all_resources(trivial):
    resident = Resident("trivial_model:load", (("offset", 1),))
    volume = np.zeros((2, 2, 2), dtype=np.int16)
    results = [Compute(kind="in_process").run(resident, volume) for _ in range(3)]
    assert {loads for _, _, loads in results} == {1}
    assert {pid for _, pid, _ in results} == {os.getpid()}
    np.testing.assert_array_equal(results[0][0], volume + 1)


def test_other_arguments_are_another_model_and_another_version_is_one_of_the_same_family():
    first = Resident("trivial_model:load", (("offset", 1),))
    assert first.key == Resident("trivial_model:load", (("offset", 1),)).key
    assert first.family != Resident("trivial_model:load", (("offset", 2),)).family
    replaced = Resident("trivial_model:load", (("offset", 1),), version="replaced")
    assert (replaced.family, replaced.key == first.key) == (first.family, False)


def test_without_a_cluster_the_error_says_how_to_start_one():
    with pytest.raises(ComputeUnavailableError, match=r"127\.0\.0\.1:9.*ray start --head"):
        Compute(kind="ray", ray_address="127.0.0.1:9").run(Resident("math:sqrt", ()), 4)
