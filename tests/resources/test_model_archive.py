"""Archives of models from outside: the model they hold, or nothing of them."""

import random
import shutil
import stat
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from resources.archive_members import ModelArchiveError
from resources.cloud_clients import Patience
from resources.model_catalogue import CATALOGUE, CatalogueModel
from resources.model_download import NoSpaceError
from resources.model_install import fetch_model, install_archive
from resources.model_inventory import list_models
from resources.model_store import ModelStore
from resources.zenodo import Zenodo
from tests.resources import zenodo_server as servers
from tests.resources.model_archives import BPR, RECORD, archive, zipped

zenodo_server = servers.zenodo_server

FILES = {"model.pt": b"weights" * 100, "config.json": b"{}", "inference-settings.json": b"[]"}
GOOD = {f"m/{name}": content for name, content in FILES.items()}


def write(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "archive.zip"
    path.write_bytes(content)
    return path


def special(name: str, kind: int) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name)
    member.create_system = 3
    member.external_attr = (kind | 0o777) << 16
    return member


def raw(name: str) -> zipfile.ZipInfo:
    """A member whose name is written as it is."""
    member = zipfile.ZipInfo("x")
    member.filename = member.orig_filename = name
    return member


def refusal(tmp_path: Path, content: bytes, model: CatalogueModel = BPR) -> str:
    """Return why an archive is refused, after looking that nothing came of it."""
    path, root = write(tmp_path, content), tmp_path / "models"
    with pytest.raises(ModelArchiveError) as error:
        install_archive(model, root, path)
    assert sorted(file.name for file in tmp_path.rglob("*") if file.is_file()) == ["archive.zip"]
    assert not list(root.iterdir())
    assert str(error.value).startswith(str(path))
    return str(error.value)


@pytest.mark.parametrize(
    ("member", "told"),
    [
        ("/etc/evil", "'/etc/evil' has an absolute path"),
        ("//host/evil", "'//host/evil' has an absolute path"),
        ("../evil", "'../evil' leaves the folder"),
        ("m/../../evil", "'m/../../evil' leaves the folder"),
        ("m/..", "leaves the folder"),
        ("C:/evil", "'C:/evil' has a drive letter"),
        ("c:evil", "has a drive letter"),
        (raw("m\\evil"), "evil' has a backslash in its name"),
        (raw("..\\evil"), "has a backslash"),
        (raw("m/ev\0il"), "has a name that is no path"),
        ("m//evil", "has a name that is no path"),
        ("m/./evil", "has a name that is no path"),
        ("m/ev\nil", "has a name that is no path"),
        (f"m/{'e' * 300}", "has a name that is no path"),
        (special("m/link", stat.S_IFLNK), "'m/link' is a symbolic link"),
        (special("m/fifo", stat.S_IFIFO), "'m/fifo' is a special file"),
        (special("m/device", stat.S_IFCHR), "is a special file"),
        ("M/CONFIG.json", "'M/CONFIG.json' is there twice"),
        ("m/model.pt/evil", "'m/model.pt/evil' is in the place of another"),
        ("m", "is in the place of another"),
    ],
)
def test_an_unsafe_member_is_refused_by_name(tmp_path, member, told):
    message = refusal(tmp_path, zipped({**GOOD, member: b"/etc/passwd"}))
    assert told in message
    assert "nothing was installed" in message


def test_a_name_that_is_there_twice_is_refused(tmp_path):
    path = write(tmp_path, archive(FILES, "m/"))
    with zipfile.ZipFile(path, "a") as opened, pytest.warns(UserWarning, match="Duplicate name"):
        opened.writestr("m/model.pt", b"other")
    assert "'m/model.pt' is there twice" in refusal(tmp_path, path.read_bytes())


def test_an_encrypted_member_is_refused(tmp_path):
    content = bytearray(zipped(GOOD))
    place = content.index(b"PK\x01\x02")
    content[place + 8] |= 1
    content[content.index(b"PK\x03\x04") + 6] |= 1
    assert "'m/model.pt' is encrypted" in refusal(tmp_path, bytes(content))


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_compression_of_which_python_unpacks_whole_blocks_is_refused(tmp_path, method):
    member = zipfile.ZipInfo("m/extra")
    member.compress_type = method
    assert "'m/extra' is compressed in a way other than deflate" in refusal(tmp_path, zipped({**GOOD, member: b"x"}))


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path):
    model = replace(BPR, largest=1 << 20)
    content = zipped({**GOOD, "m/zeros": bytes(2 << 20)})
    assert len(content) < 1 << 14
    assert "bytes, unpacked, more than the 1048576 that are allowed" in refusal(tmp_path, content, model)
    many = zipped({f"{number}": b"" for number in range(10_001)})
    assert "has 10001 members, more than 10000" in refusal(tmp_path, many)


@pytest.mark.parametrize(("said", "told"), [(10, "Bad CRC-32"), (10**6, "has 100000 bytes, not the 1000000 it says")])
def test_a_header_that_lies_about_the_size_is_found_out(tmp_path, said, told):
    size = 100_000
    content = bytearray(zipped({**GOOD, "m/model.pt": bytes(size)}))
    for place in _places(content, size.to_bytes(4, "little")):
        content[place : place + 4] = said.to_bytes(4, "little")
    message = refusal(tmp_path, bytes(content))
    assert "'m/model.pt'" in message
    assert told in message


def _places(content: bytearray, part: bytes) -> list[int]:
    return [place for place in range(len(content)) if content.startswith(part, place)]


def test_no_more_is_written_than_a_header_says(tmp_path, monkeypatch):
    """Also if zipfile did not see to that itself."""

    class Endless:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def read(self, size):
            return bytes(size)

    content = zipped(GOOD)
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda *_: Endless())
    assert "is longer than the 700 bytes it says" in refusal(tmp_path, content)


def test_a_spoilt_archive_is_refused(tmp_path):
    content = archive({**FILES, "model.pt": random.Random(0).randbytes(5000)})
    assert "is no ZIP archive" in refusal(tmp_path, b"<html>not found</html>")
    assert "is no ZIP archive" in refusal(tmp_path, content[:-200])
    assert "is no ZIP archive" in refusal(tmp_path, b"")
    place = len(content) // 4
    spoilt = content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]
    assert "model.pt' cannot be unpacked (Bad CRC-32" in refusal(tmp_path, spoilt)


@pytest.mark.parametrize(
    ("members", "told"),
    [
        ({}, "it has no model.pt, config.json, inference-settings.json, but no files"),
        ({f"x/{n}.txt": b"" for n in range(7)}, "but x/0.txt, x/1.txt, x/2.txt, x/3.txt, x/4.txt and 2 more"),
        ({"m/model.pt": b"", "m/config.json": b""}, "inference-settings.json is missing in its folder m/"),
        ({"m/model.pt": b"", "n/config.json": b"", "inference-settings.json": b""}, "is missing in its folder"),
        ({**GOOD, **{f"n/{name}": b"" for name in FILES}}, "has the model bpr_public more than once: m/, n/"),
        ({f"__MACOSX/{name}": content for name, content in GOOD.items()}, "it has no model.pt"),
    ],
)
def test_an_archive_without_the_one_model_says_what_it_has(tmp_path, members, told):
    assert told in refusal(tmp_path, zipped(members))


@pytest.mark.parametrize("folder", ["", "public_bpr_model/", "some/where else/é/"])
def test_the_model_is_found_in_any_folder_and_nothing_else_is_installed(tmp_path, folder):
    members = {
        "__MACOSX/": b"",
        f"__MACOSX/{folder}model.pt": b"resource fork",
        f"{folder}plots/loss.png": b"png",
        **{f"{folder}{name}": content for name, content in FILES.items()},
        "readme.txt": b"",
    }
    path, root = write(tmp_path, zipped(members)), tmp_path / "models"
    done = install_archive(BPR, root, path)
    assert {file.name: file.read_bytes() for file in ModelStore(root=str(root)).bpreg("bpr_public").iterdir()} == FILES
    source = done.source
    assert (source.file, source.md5_compared, source.doi, source.version) == ("archive.zip", False, None, None)
    assert source.size == path.stat().st_size
    assert not install_archive(BPR, root, path).new
    assert sorted(entry.name for entry in root.rglob("*")) == sorted(
        [*FILES, "bpreg", "bpr_public", "model_source.json"]
    )


def test_a_disk_without_room_is_named_before_it_is_full(tmp_path, monkeypatch):
    free = shutil.disk_usage(tmp_path)._replace(free=10)
    monkeypatch.setattr("shutil.disk_usage", lambda folder: free)
    with pytest.raises(NoSpaceError, match=r"unpacking .*archive.zip needs 0.00 GB"):
        install_archive(BPR, tmp_path / "models", write(tmp_path, zipped(GOOD)))
    assert not list((tmp_path / "models").iterdir())


def test_a_fetched_archive_that_is_refused_is_not_kept(zenodo_server, tmp_path):
    zenodo_server.records[RECORD] = {BPR.archive: zipped({**GOOD, "../evil": b""})}
    with (
        Zenodo(zenodo_server.endpoint, Patience(attempts=1)) as zenodo,
        pytest.raises(ModelArchiveError, match=r"^public_bpr_model.zip of Zenodo record 5113483: member '../evil'"),
    ):
        fetch_model(BPR, tmp_path, zenodo)
    assert not list(tmp_path.iterdir())


def test_the_list_has_what_is_there_and_what_is_known(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / ".partial").mkdir()
    (tmp_path / "loose.zip").write_bytes(b"")
    listed = {model.name: model for model in list_models(tmp_path)}
    assert sorted(listed) == sorted({"demo", *CATALOGUE, "mine"})
    assert not any(model.part for model in listed.values())
    for name in CATALOGUE:
        assert listed[name].note == f"fetch it with: ct-assets models fetch {name}"
    assert listed["mine"].note.startswith("incomplete; see docs/models.md")
    assert list_models(tmp_path / "none")


def test_an_archive_that_cannot_be_read_is_its_own_fault_and_not_that_of_the_store(tmp_path):
    """An entry that points beyond the file: seeking there fails as a disk would."""
    content = bytearray(archive(FILES))
    place = content.rindex(b"PK\x01\x02")
    content[place + 42 : place + 46] = b"\xff\xff\xff\x7f"
    (tmp_path / "spoilt.zip").write_bytes(content)
    with pytest.raises(ModelArchiveError, match=r"spoilt\.zip"):
        install_archive(BPR, tmp_path / "models", tmp_path / "spoilt.zip")
    with pytest.raises(ModelArchiveError, match=r"is no ZIP archive that can be read"):
        install_archive(BPR, tmp_path / "models", tmp_path / "missing.zip")
