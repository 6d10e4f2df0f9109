"""The public client of the upload protocol, against the served program."""

from __future__ import annotations

import io
import json
import os
import subprocess
import urllib.request
from hashlib import sha256
from pathlib import Path

from conftest import required_program
from live import ROOT, LiveServer, live_server
from PIL import Image

__all__ = ["live_server"]

__all__ = ["live_server"]


def noisy_photo(path: Path) -> bytes:
    """A photo of some hundred kilobytes."""
    image, file = Image.frombytes("RGB", (400, 300), os.urandom(400 * 300 * 3)), io.BytesIO()
    image.save(file, "JPEG", quality=95)
    path.write_bytes(file.getvalue())
    return file.getvalue()


def test_tus_js_client_goes_on_where_it_was_cut_off(live_server: LiveServer, tmp_path: Path):
    """The public client asks how much has arrived and sends the other three quarters only."""
    own = ROOT / ".venv" / "node" / "bin" / "node"
    node = str(own) if own.exists() else required_program("node")
    community = live_server.community()
    phone = community.phone(tmp_path / "phone.sqlite3", community.worker(0))
    content = noisy_photo(tmp_path / "photo.jpg")
    name = sha256(content).hexdigest()
    script = str(ROOT / "tests" / "upload_with_tus_js_client.mjs")
    assert phone.token is not None
    done = subprocess.run(
        [node, script, live_server.url, phone.token, str(tmp_path / "photo.jpg"), name], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["asked"][:2] == ["HEAD", "PATCH"]
    quarter = -(-len(content) // 4)
    assert sum(one for one in said["asked"] if isinstance(one, int)) == len(content) - quarter
    request = urllib.request.Request(f"{live_server.url}/api/v1/blobs/{name}", headers={"Authorization": f"Bearer {phone.token}"})
    with urllib.request.urlopen(request) as answer:
        assert answer.read() == content
