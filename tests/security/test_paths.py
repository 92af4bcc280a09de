"""Strings from outside in paths and partition keys: none leads out of its folder."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ct_assets.store.paths import CollectionFolder
from ct_assets.store.uid import MAXIMUM_UID_LENGTH, InvalidUidError, checked_uid, is_uid
from tests.security.fuzzing import fuzz

REPOSITORY = Path(__file__).resolve().parents[2]
PARTS = [
    "..",
    ".",
    "/",
    "\\",
    "\0",
    "\n",
    " ",
    "~",
    "1",
    "0",
    "2.3",
    "..1",
    "1.",
    "٣",
    "²",
    "%2e",
    "${HOME}",
    "C:",
    "-",
    "*",
]
CANDIDATES = st.text(max_size=80) | st.lists(st.sampled_from(PARTS), max_size=12).map("".join)


@fuzz(1000)
@given(text=CANDIDATES)
def test_no_string_makes_a_folder_outside_that_of_the_series(text):
    store = CollectionFolder(Path("/store/demo"))
    try:
        folder = store.series(text)
    except InvalidUidError as error:
        assert not is_uid(text)
        assert len(str(error)) < 500
        return
    assert is_uid(text)
    assert len(text) <= MAXIMUM_UID_LENGTH
    assert os.path.normpath(folder.path) == f"/store/demo/series/{text}"
    assert folder.series_instance_uid == text
    assert set(text) <= set("0123456789.")


@pytest.mark.parametrize(
    "text", ["", ".", "..", "1..2", "1.2.", ".1", "1.2\n", "1/2", "../1", "٣.2", "1" * 65, "1.2\0"]
)
def test_what_is_no_uid_is_refused(text):
    with pytest.raises(InvalidUidError):
        checked_uid(text)
