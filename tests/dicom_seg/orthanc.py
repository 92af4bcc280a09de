"""An Orthanc of its own, on loopback, with its DICOMweb plugin and without DICOM network."""

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_DICOMWEB = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")


class Orthanc:
    """REST interface of a running server."""

    def __init__(self, url: str) -> None:
        self.url = url

    def get(self, path: str, accept: str = "*/*") -> bytes:
        """Return the body of a resource."""
        request = urllib.request.Request(self.url + path, headers={"Accept": accept})
        with urllib.request.urlopen(request, timeout=30) as response:
            return bytes(response.read())

    def part(self, path: str, media_type: str) -> bytes:
        """Return the only part of a resource of DICOMweb."""
        body = self.get(f"/dicom-web{path}", f"multipart/related; type={media_type}")
        head, content = body.split(b"\r\n\r\n", 1)
        length = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
        return content[: int(length.split(b":")[1])]

    def json(self, path: str) -> Any:
        """Return a resource that is JSON."""
        return json.loads(self.get(path))

    def store(self, path: Path) -> str:
        """Store a file in place of everything that is there and return the path of the instance."""
        for instance in self.json("/instances"):
            urllib.request.urlopen(urllib.request.Request(f"{self.url}/instances/{instance}", method="DELETE")).close()
        request = urllib.request.Request(f"{self.url}/instances", path.read_bytes())
        with urllib.request.urlopen(request, timeout=30) as response:
            return f"/instances/{json.load(response)['ID']}"


@contextmanager
def serve(folder: Path) -> Iterator[Orthanc]:
    """Run a server that keeps its files in a folder."""
    program = shutil.which("Orthanc", path=f"{os.environ['PATH']}:/usr/sbin")
    assert program, "Orthanc is missing; run `make debian-packages`"
    assert _DICOMWEB.is_file(), f"{_DICOMWEB} is missing; run `make debian-packages`"
    port = _free_port()
    settings = {
        "StorageDirectory": str(folder / "files"),
        "IndexDirectory": str(folder / "files"),
        "HttpPort": port,
        "HttpBindAddresses": ["127.0.0.1"],
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "DicomServerEnabled": False,
        "Plugins": [str(_DICOMWEB)],
    }
    (folder / "orthanc.json").write_text(json.dumps(settings))
    with (folder / "orthanc.log").open("w") as log:
        process = subprocess.Popen([program, str(folder / "orthanc.json")], stdout=log, stderr=subprocess.STDOUT)
    try:
        server = Orthanc(f"http://127.0.0.1:{port}")
        _wait(server, process, folder / "orthanc.log")
        yield server
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(server: Orthanc, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 30
    while process.poll() is None and time.monotonic() < deadline:
        try:
            server.get("/system")
        except OSError:
            time.sleep(0.05)
        else:
            return
    message = f"Orthanc does not answer: {log.read_text()[-2000:]}"
    raise AssertionError(message)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
