"""Walking folders: every regular file once, and no failure unnoticed."""

import os
import socket
from pathlib import Path

import pytest

from ct_assets.store.walk import walk_files


def _refuse(path: Path, error: OSError) -> None:
    raise AssertionError(path) from error


def _names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in walk_files(folder, _refuse))


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "source/sub").mkdir(parents=True)
    (tmp_path / "source/.partial").mkdir()
    for name in ("a", "sub/b", "sub/.hidden", ".partial/c"):
        (tmp_path / "source" / name).write_text(name)
    return tmp_path / "source"


def test_every_file_is_found_but_hidden_ones(folder):
    assert _names(folder) == ["a", "sub/b"]


def test_links_in_a_circle_end(folder):
    for name in ("one", "two", "sub/up"):
        (folder / name).symlink_to(folder)
    assert _names(folder) == ["a", "sub/b"]


def test_links_to_files_and_folders_elsewhere_are_followed(folder, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/c").write_text("c")
    (folder / "0 folder").symlink_to(tmp_path / "elsewhere")
    (folder / "file").symlink_to(tmp_path / "elsewhere/c")
    assert _names(folder) == ["0 folder/c", "a", "file", "sub/b"]


def test_a_folder_goes_by_its_own_name_and_not_by_a_link(folder):
    (folder / "0").symlink_to("sub")
    assert _names(folder) == ["a", "sub/b"]


def test_pipes_sockets_and_devices_are_passed_over(folder, monkeypatch):
    os.mkfifo(folder / "pipe")
    (folder / "link to pipe").symlink_to("pipe")
    (folder / "device").symlink_to(os.devnull)
    monkeypatch.chdir(folder)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
        assert _names(folder) == ["a", "sub/b"]


def test_a_broken_link_is_yielded_so_that_reading_it_names_the_fault(folder):
    (folder / "broken").symlink_to("nowhere")
    (folder / "itself").symlink_to("itself")
    assert _names(folder) == ["a", "broken", "itself", "sub/b"]


def test_a_folder_that_cannot_be_listed_is_told_and_the_others_are_walked(folder, monkeypatch):
    scandir = os.scandir

    def refuse(path):
        if Path(path).name == "sub":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    failed = []
    found = [path.name for path in walk_files(folder, lambda path, error: failed.append((path, error)))]
    assert found == ["a"]
    assert [(path, type(error)) for path, error in failed] == [(folder / "sub", PermissionError)]
