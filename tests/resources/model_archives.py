"""ZIP archives of models, good ones and others."""

import io
import random
import zipfile
from dataclasses import replace

from resources.model_catalogue import CATALOGUE

BPR = CATALOGUE["bpr_public"]
RECORD = BPR.records[0]
SMALL = replace(BPR, largest=1 << 20)
FILES = {
    "model.pt": random.Random(0).randbytes(3 << 20),
    "config.json": b'{"a": 1}',
    "inference-settings.json": b'{"b": 2}',
}
"""Stands for a model where it is not loaded; more than two steps of progress."""


def archive(files: dict[str, bytes], folder: str = "public_bpr_model/") -> bytes:
    """Return a ZIP archive that has the files in one folder."""
    return zipped({f"{folder}{name}": content for name, content in files.items()})


def zipped(members: dict[str | zipfile.ZipInfo, bytes]) -> bytes:
    """Return a ZIP archive of members that may have any name and attribute; the same members give the same bytes."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in members.items():
            member = name if isinstance(name, zipfile.ZipInfo) else _member(name)
            opened.writestr(member, content)
    return target.getvalue()


def _member(name: str) -> zipfile.ZipInfo:
    """Return a deflated file dated 1980: names of tests hold the digest of an archive, in every process the same."""
    member = zipfile.ZipInfo(name)
    member.compress_type, member.external_attr = zipfile.ZIP_DEFLATED, 0o600 << 16
    return member
