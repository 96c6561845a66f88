"""EmotionKit's downloader over real sockets, from the folder that ``ferconv package`` wrote.

The app is a process and the server is HTTP on the loopback: FoundationNetworking's ``URLSession``,
which is not the one of Apple systems, but speaks the same protocol.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from fer_convert.swift_package.write import MODELS
from tests.swift.apps import App


@dataclass
class Site:
    """A folder on a web server, and what was asked of it.

    Attributes:
        cut: bytes after which the connection ends, once for each path named.
        asked: path, ``Range`` and status of each request.
    """

    folder: Path
    address: str = ""
    cut: dict[str, int] = field(default_factory=dict)
    asked: list[tuple[str, str | None, int]] = field(default_factory=list)

    @property
    def manifest(self) -> str:
        return f"{self.address}/manifest.json"

    @property
    def sha256(self) -> str:
        manifest = json.loads((self.folder / "manifest.json").read_text())
        return str(manifest["model"]["sha256"])


@pytest.fixture
def site(standalone: Path) -> Iterator[Site]:
    """The package's Models folder as any static web server would hand it out."""
    site = Site(standalone / MODELS)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.path.startswith("/moved/"):
                self._head(302, 0, Location=self.path.removeprefix("/moved"))
                return
            file = site.folder / self.path.lstrip("/")
            if not file.is_file():
                self._head(404, 0)
                return
            content = file.read_bytes()
            tag = f'"{hashlib.sha256(content).hexdigest()[:8]}"'
            start = self._start(tag)
            status, extra = 200, {"ETag": tag}
            if start:
                status = 206
                extra["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
            self._head(status, len(content) - start, **extra)
            end = site.cut.pop(self.path, len(content))
            self.wfile.write(content[start:end])
            if end < len(content):
                self.close_connection = True

        def _start(self, tag: str) -> int:
            asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
            return int(asked[1]) if asked and self.headers.get("If-Range", tag) == tag else 0

        def _head(self, status: int, length: int, **headers: str) -> None:
            site.asked.append((self.path, self.headers.get("Range"), status))
            self.send_response(status)
            for name, value in {"Content-Length": str(length), **headers}.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing: pytest's output is for people."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    site.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield site
    server.shutdown()
    server.server_close()
    thread.join()


def weights(site: Site) -> str:
    return "/" + next(site.folder.rglob("weight.bin")).relative_to(site.folder).as_posix()


def test_a_model_is_downloaded_once(app_by_path: App, site: Site, tmp_path: Path) -> None:
    code, out, err = app_by_path("download", site.manifest, site.sha256, tmp_path)
    assert code == 0, err
    lines = out.splitlines()
    manifest = json.loads((site.folder / "manifest.json").read_text())
    total = manifest["model"]["bytes"] + manifest["canary"]["bytes"]
    assert lines[-2] == f"progress {total} {total}"
    model = Path(lines[-1].removeprefix("model "))
    assert model.is_relative_to(tmp_path)
    for file in (site.folder / model.name).rglob("*"):
        copy = model / file.relative_to(site.folder / model.name)
        assert copy.is_dir() if file.is_dir() else copy.read_bytes() == file.read_bytes()
    canary = model.parent / "canary.json"
    assert canary.read_bytes() == (site.folder / "canary.json").read_bytes()
    requests = len(site.asked)
    assert app_by_path("download", site.manifest, site.sha256, tmp_path)[0] == 0
    assert len(site.asked) == requests


def test_a_cut_connection_is_continued(app_by_path: App, site: Site, tmp_path: Path) -> None:
    site.cut[weights(site)] = 1000
    code, _, err = app_by_path("download", site.manifest, site.sha256, tmp_path)
    assert code == 0, err
    mine = [(asked, status) for path, asked, status in site.asked if path == weights(site)]
    assert mine == [(None, 200), ("bytes=1000-", 206)]


def test_a_redirect_is_followed(app_by_path: App, site: Site, tmp_path: Path) -> None:
    address = f"{site.address}/moved/manifest.json"
    code, _, err = app_by_path("download", address, site.sha256, tmp_path)
    assert code == 0, err


def test_two_processes_download_once(app_by_path: App, site: Site, tmp_path: Path) -> None:
    arguments = ("download", site.manifest, site.sha256, tmp_path)
    processes = [app_by_path.start(*arguments) for _ in range(3)]
    results = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], results
    paths = [path for path, _, _ in site.asked]
    assert len(paths) == len(set(paths))


def test_another_model_than_promised_is_refused(
    app_by_path: App, site: Site, tmp_path: Path
) -> None:
    code, _, err = app_by_path("download", site.manifest, "0" * 64, tmp_path)
    assert code == 3
    assert f"expected {'0' * 64}, found {site.sha256}" in err


def test_a_wrong_address_is_explained(app_by_path: App, site: Site, tmp_path: Path) -> None:
    code, _, err = app_by_path(
        "download", f"{site.address}/nowhere/manifest.json", site.sha256, tmp_path
    )
    assert code == 3
    assert "could not be downloaded from 127.0.0.1: the server answered 404" in err
