"""Phones in the local network: the app from another address of the machine, over `dishu serve --tls`."""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser_kit import PHONE, DemoSite, _command, _environment
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from field_phone import FieldPhone
from playwright.sync_api import BrowserType

from server.tls import local_names


@pytest.fixture
def secure_site(demo_copy: Path, tmp_path: Path) -> Iterator[DemoSite]:
    """The demo under HTTPS at an address of this machine that is not its loopback, as a phone would reach it."""
    folder = tmp_path / "data"
    shutil.copytree(demo_copy, folder)
    environment = _environment(folder)
    process = subprocess.Popen(_command("serve", "--host", "0.0.0.0", "--port", "0", "--tls"), env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        address = next(line.strip().rstrip("/") for line in process.stdout if line.startswith("https"))
        yield DemoSite(f"https://{outer_address()}:{address.rpartition(':')[2]}", folder, environment)
    finally:
        process.terminate()
        process.communicate(timeout=30)


def outer_address() -> str:
    """An IPv4 address of this machine, of its network where it has one."""
    found = [one for one in local_names() if one.count(".") == 3 and one.replace(".", "").isdigit()]
    return next((one for one in found if not ipaddress.ip_address(one).is_loopback), "127.0.0.2")


def trusted(folder: Path) -> str:
    """How Chromium names the key of the authority that a phone has been told to trust."""
    authority = x509.load_pem_x509_certificate((folder / "tls" / "dishu-ca.crt").read_bytes())
    key = authority.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(key).digest()).decode()


def test_a_phone_that_trusts_the_authority_installs_the_app_and_starts_it_offline(
    secure_site: DemoSite, browser_type: BrowserType, browser_type_launch_args: dict[str, Any], tmp_path: Path
):
    """A secure context at a network address: enrolled, the program kept by its service worker, started again in flight mode."""
    args = [*browser_type_launch_args["args"], f"--ignore-certificate-errors-spki-list={trusted(secure_site.folder)}"]
    context = browser_type.launch_persistent_context(
        tmp_path / "profile", executable_path=browser_type_launch_args["executable_path"], args=args, viewport=PHONE,
        is_mobile=True, has_touch=True, locale="zh-CN", timezone_id="Asia/Shanghai",
    )  # fmt: skip
    try:
        phone = FieldPhone(context.pages[0], secure_site).enrol()
        assert phone.page.evaluate("[isSecureContext, location.protocol, location.hostname]") == [True, "https:", outer_address()]
        phone.program_is_kept()
        context.set_offline(True)
        phone.start_again()
        assert phone.unsent() == 0
    finally:
        context.close()
