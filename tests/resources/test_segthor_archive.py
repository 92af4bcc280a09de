"""The archive of nnU-Net v1's SegTHOR model: the configurations that it has, each whole, and nothing else of it."""

import stat
import zipfile
from pathlib import Path

import pytest

from resources.archive_members import ModelArchiveError
from resources.model_archive import unpack_model
from resources.model_files import CONFIGURATIONS, model_parts, nnunet_files
from resources.model_install import ModelInstallError, install_archive
from resources.model_progress import Step
from resources.model_store import ModelMissingError, ModelStore
from tests.resources.model_archives import zipped
from tests.resources.segthor_archives import CASCADE, SEGTHOR, TRAINER, WEIGHTS, beside, exported, needed


def write(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "mine.zip"
    path.write_bytes(content)
    return path


def installed(root: Path) -> dict[str, bytes]:
    folder = root / "segthor/nnUNet"
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refusal(tmp_path: Path, content: bytes) -> str:
    """Return why an archive is refused, after looking that nothing came of it."""
    path, root = write(tmp_path, content), tmp_path / "models"
    with pytest.raises(ModelArchiveError) as error:
        install_archive(SEGTHOR, root, path)
    assert not list(root.iterdir())
    assert "nothing was" in str(error.value)
    return str(error.value).removeprefix(f"{path}: ")


@pytest.mark.parametrize("leading", ["", "nnUNet/", "some/where else/nnUNet/", "3d_cascade_fullres/", "2d/"])
def test_whatever_leads_there_the_configurations_are_installed_and_nothing_else(tmp_path, leading):
    root = tmp_path / "models"
    done = install_archive(SEGTHOR, root, write(tmp_path, exported(needed(), leading)))
    assert installed(root) == needed()
    assert list(done.weights) == [f"nnUNet/{configuration}" for configuration in CONFIGURATIONS]
    assert done.weights == {part.name: part.digest for part in model_parts(root / "segthor")}
    assert not done.absent
    for configuration in CONFIGURATIONS:
        folder = ModelStore(root=str(root)).nnunet("segthor", configuration)
        assert [path.parent.name for path in nnunet_files(folder)][:-1:2] == [f"fold_{fold}" for fold in range(5)]


@pytest.mark.parametrize("configuration", CONFIGURATIONS)
def test_one_configuration_is_enough_and_the_others_are_named(tmp_path, configuration):
    root = tmp_path / "models"
    files = {**beside((configuration,), (0, 2)), **needed((configuration,), (0, 10, 2))}
    done = install_archive(SEGTHOR, root, write(tmp_path, zipped(files)))
    assert installed(root) == needed((configuration,), (0, 10, 2))
    assert list(done.weights) == [f"nnUNet/{configuration}"]
    assert done.absent == tuple(f"nnUNet/{name}" for name in CONFIGURATIONS if name != configuration)
    folder = ModelStore(root=str(root)).nnunet("segthor", configuration)
    assert [path.parent.name for path in nnunet_files(folder)][:-1:2] == ["fold_0", "fold_2", "fold_10"]
    other = next(name for name in CONFIGURATIONS if name != configuration)
    with pytest.raises(ModelMissingError, match="fetch it with: ct-assets models fetch segthor"):
        ModelStore(root=str(root)).nnunet("segthor", other)


def test_postprocessing_need_not_be_there(tmp_path):
    files = {name: content for name, content in needed().items() if not str(name).endswith("postprocessing.json")}
    install_archive(SEGTHOR, tmp_path / "models", write(tmp_path, exported(files)))
    assert installed(tmp_path / "models") == files


@pytest.mark.parametrize(
    ("lost", "told"),
    [
        (f"2d/{TRAINER}/plans.pkl", f"plans.pkl is missing in its folder 2d/{TRAINER}/"),
        (
            f"3d_fullres/{TRAINER}/fold_3/{WEIGHTS}.pkl",
            f"fold_3/{WEIGHTS}.pkl is missing in its folder 3d_fullres/{TRAINER}/",
        ),
        (
            f"3d_lowres/{TRAINER}/fold_0/{WEIGHTS}",
            f"fold_0/{WEIGHTS} is missing in its folder 3d_lowres/{TRAINER}/",
        ),
    ],
)
def test_a_configuration_that_lacks_a_file_is_refused_by_name(tmp_path, lost, told):
    files = needed()
    del files[lost]
    assert refusal(tmp_path, exported(files)) == f"is not the model segthor: {told}; nothing was installed"


def test_so_is_one_without_any_fold_or_with_a_fold_without_weights(tmp_path):
    plans = {f"2d/{TRAINER}/plans.pkl": b""}
    assert f"fold_0/{WEIGHTS}, fold_0/{WEIGHTS}.pkl is missing in its folder 2d/" in refusal(tmp_path, zipped(plans))
    files = {**needed(("2d",)), f"2d/{TRAINER}/fold_5/model_best.model": b""}
    assert f"fold_5/{WEIGHTS}, fold_5/{WEIGHTS}.pkl is missing" in refusal(tmp_path, zipped(files))


@pytest.mark.parametrize("second", [needed(("2d",)), {f"2d/{TRAINER}/plans.pkl": b""}], ids=["whole", "part"])
def test_the_same_configuration_twice_is_refused(tmp_path, second):
    files = {**needed(), **{f"old/{name}": content for name, content in second.items()}}
    told = f"has the model segthor more than once: 2d/{TRAINER}/, old/2d/{TRAINER}/; nothing was installed"
    assert refusal(tmp_path, zipped(files)) == told


@pytest.mark.parametrize(
    ("files", "has"),
    [
        ({}, "but no files"),
        ({f"3d_cascade_fullres/{CASCADE}/plans.pkl": b""}, f"but 3d_cascade_fullres/{CASCADE}/plans.pkl"),
        ({"2d/Task002_Heart/nnUNetTrainerV2__nnUNetPlansv2.1/plans.pkl": b""}, "but 2d/Task002_Heart/"),
        ({"2d/Task055_SegTHOR/nnUNetTrainerV2_noMirroring__nnUNetPlansv2.1/plans.pkl": b""}, "but 2d/Task055"),
        ({f"__MACOSX/{name}": b"" for name in needed()}, "but __MACOSX/2d/"),
        ({"model.pt": b"", "config.json": b"", "inference-settings.json": b""}, "but config.json, inference"),
    ],
)
def test_an_archive_without_any_configuration_says_what_it_has(tmp_path, files, has):
    told = refusal(tmp_path, zipped(files))
    folders = ", ".join(f"{configuration}/{TRAINER}/" for configuration in CONFIGURATIONS)
    assert told.startswith(f"is not the model segthor: it has no {folders}, {has}")


@pytest.mark.parametrize(
    ("member", "told"),
    [
        ("../evil", "'../evil' leaves the folder"),
        (f"3d_cascade_fullres/{CASCADE}/../../../evil", "leaves the folder"),
        (f"2d/{TRAINER}/fold_0/{WEIGHTS}/evil", "is in the place of another"),
        (f"2d/{TRAINER}/PLANS.pkl", "is there twice"),
        ("/evil", "has an absolute path"),
        ("link", "is a symbolic link"),
        (f"2d/{TRAINER}/fold_0/progress", "is a symbolic link"),
    ],
)
def test_an_unsafe_member_is_refused_also_where_it_would_not_be_installed(tmp_path, member, told):
    unsafe = zipfile.ZipInfo(member)
    if "link" in told:
        unsafe.create_system, unsafe.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    assert told in refusal(tmp_path, zipped({**beside(), **needed(), unsafe: b"/etc/passwd"}))


def test_members_and_archives_beyond_4_gib_are_let_in(tmp_path):
    """In the 64-bit fields of ZIP: members that begin behind a hole of 5 GiB, one that says it has 5 GiB itself."""
    path = tmp_path / "mine.zip"
    with path.open("wb") as file:
        file.seek(5 << 30)
        with zipfile.ZipFile(file, "w") as archive:
            for name, content in needed().items():
                with archive.open(zipfile.ZipInfo(name), "w", force_zip64=True) as member:
                    member.write(content)
            large = zipfile.ZipInfo(f"3d_cascade_fullres/{CASCADE}/fold_0/{WEIGHTS}")
            archive.writestr(large, b"not unpacked")
            large.file_size = 5 << 30
    assert path.stat().st_blocks * 512 < 1 << 20
    with zipfile.ZipFile(path) as archive:
        assert archive.getinfo(large.filename).file_size > 1 << 32
        assert archive.infolist()[0].header_offset > 1 << 32
    (tmp_path / "models/segthor").mkdir(parents=True)
    unpack_model(path, SEGTHOR, tmp_path / "models/segthor", "mine.zip")
    assert installed(tmp_path / "models") == needed()


def test_more_than_a_segthor_archive_can_be_is_refused(tmp_path):
    path = tmp_path / "mine.zip"
    with zipfile.ZipFile(path, "w") as archive:
        large = zipfile.ZipInfo(f"3d_cascade_fullres/{CASCADE}/fold_0/{WEIGHTS}")
        archive.writestr(large, b"")
        large.file_size = SEGTHOR.largest + 1
    with pytest.raises(ModelArchiveError, match="would be 12000000001 bytes, unpacked, more than the 12000000000"):
        install_archive(SEGTHOR, tmp_path / "models", path)


def test_what_takes_long_is_told(tmp_path):
    seen: list[tuple[Step, int, int]] = []
    path = write(tmp_path, exported(needed()))
    install_archive(SEGTHOR, tmp_path / "models", path, report=lambda *now: seen.append(now))
    unpacked = sum(len(content) for content in needed().values())
    read = unpacked - sum(len(f"{name}/{TRAINER}/plans.pkl") for name in CONFIGURATIONS)
    for step, size in ((Step.UNPACKING, unpacked), (Step.MD5, path.stat().st_size), (Step.DIGEST, read)):
        done = [one[1] for one in seen if one[0] is step]
        assert done == sorted(done)
        assert {one[2] for one in seen if one[0] is step} == {size}
        assert done[-1] == size


@pytest.mark.parametrize(
    "mine", ["notes.txt", "nnUNet/2d/Task002_Heart", "nnUNet/3d_cascade_fullres", "nnUNet/2d/Task055_SegTHOR/mine"]
)
def test_what_else_was_put_into_the_model_folder_is_not_replaced(tmp_path, mine):
    path = write(tmp_path, exported(needed()))
    install_archive(SEGTHOR, tmp_path / "models", path)
    assert install_archive(SEGTHOR, tmp_path / "models", path, again=True).new
    kept = tmp_path / "models/segthor" / mine
    kept.mkdir()
    with pytest.raises(ModelInstallError, match=f"segthor holds {mine}, which is not of this model; move it elsewhere"):
        install_archive(SEGTHOR, tmp_path / "models", path, again=True)
    assert kept.is_dir()
