"""A worker with ODK Collect: an address, its lists, filled forms as a phone would send them."""

from __future__ import annotations

import csv
import io
import uuid
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from typing import Any

from server_kit import COMMUNITY, Ground

from forms.odk_form import CollectForm, collect_forms
from forms.registry import load_registry
from server.services import accounts, odk_access

ORX = "http://openrosa.org/xforms"
ENTITIES = "http://www.opendatakit.org/xforms/entities"
PASSWORD = "a-made-up-password"
FORMS = collect_forms(load_registry())


@dataclass
class Collect:
    """A phone with Collect; ``base`` is the address out of the QR code."""

    ground: Ground
    token: str
    install_id: str
    user_id: str
    device_id: str = "collect:one"
    user_agent: str = "org.odk.collect.android/v2026.1"
    lists: dict[str, dict[str, dict[str, str]]] = field(default_factory=dict)

    @property
    def base(self) -> str:
        return f"/v1/key/{self.token}/projects/{COMMUNITY}"

    def get(self, path: str, **options: Any) -> Any:
        """A GET as Collect makes it."""
        return self.ground.app.test_client().get(self.base + path, headers={"X-OpenRosa-Version": "1.0"}, **options)

    def xml(self, path: str) -> ET.Element:
        """A GET whose answer is XML."""
        answer = self.get(path)
        assert answer.status_code == 200, (answer.status_code, answer.data)
        assert "text/xml" in answer.content_type
        return ET.fromstring(answer.data)

    def fetch(self, kind: str) -> dict[str, dict[str, str]]:
        """Download an entity list; rows by id."""
        answer = self.get(f"/lists/{kind}.csv")
        assert answer.status_code == 200, answer.data
        self.lists[kind] = {row["name"]: row for row in csv.DictReader(io.StringIO(answer.data.decode()))}
        return self.lists[kind]

    def post(self, xml: str | bytes, files: dict[str, bytes] | None = None, **more: Any) -> Any:
        """Send a filled form; the raw answer."""
        content = xml.encode() if isinstance(xml, str) else xml
        data: dict[str, Any] = {"xml_submission_file": (io.BytesIO(content), "submission.xml", "text/xml")}
        data |= {name: (io.BytesIO(one), name, "image/jpeg") for name, one in (files or {}).items()}
        data |= more
        headers = {"X-OpenRosa-Version": "1.0", "User-Agent": self.user_agent}
        return self.ground.app.test_client().post(
            f"{self.base}/submission?deviceID={self.device_id}", data=data, headers=headers, content_type="multipart/form-data"
        )

    def send(self, xml: str, files: dict[str, bytes] | None = None) -> str:
        """Send a filled form that must be taken; the message to the worker."""
        answer = self.post(xml, files)
        assert answer.status_code == 201, (answer.status_code, answer.data.decode())
        return ET.fromstring(answer.data)[0].text or ""


def collect(ground: Ground, *numbers: int) -> Collect:
    """A new grid worker with an address for Collect, assigned to cells by number."""
    ground.workers += 1
    user = accounts.add_user(
        ground.house, ground.secretary, login=f"odk-{ground.workers}", name=f"网格员{ground.workers}", role="grid_worker",
        password=PASSWORD,
    )  # fmt: skip
    for number in numbers:
        ground.assign(user.user_id, number)
    return address(ground, user.user_id)


def address(ground: Ground, user_id: str) -> Collect:
    """An address for a user."""
    made = odk_access.create(ground.house, ground.secretary, user_id)
    return Collect(ground, odk_access.token_of(ground.house, made), made.install_id, user_id)


# ---------------------------------------------------------------- filled forms
def form_of(name: str | CollectForm) -> CollectForm:
    return FORMS[name] if isinstance(name, str) else name


def record(kind: str, record_id: str, answers: dict[str, str], **entity: Any) -> dict[str, Any]:
    """One record of a filled form, made anew unless ``row`` (of the list on the phone) says what it was filled from."""
    return {"kind": kind, "id": record_id, "answers": answers, **entity}


def new(kind: str, answers: dict[str, str]) -> dict[str, Any]:
    """A record that is made anew."""
    return record(kind, str(uuid.uuid4()), answers, create=True)


def opened(kind: str, row: dict[str, str], answers: dict[str, str], **more: Any) -> dict[str, Any]:
    """A record of a list, with every question filled from its row, and these answers typed over it."""
    known = {(key if key not in ("name_", "label_") else key[:-1]): value for key, value in row.items() if not key.startswith("_")}
    filled = {key: value for key, value in known.items() if key not in ("name", "label", "dishu_seen")}
    if "name_" in row:
        filled["name"] = row["name_"]
    return record(kind, row["name"], filled | answers, seen=row.get("dishu_seen", ""), baseVersion=row["__version"], **more)


def filled(form: str | CollectForm, *records: dict[str, Any], instance: str | None = None, version: str | None = None, extra: str = "", ended: str = "2026-03-02T09:30:00.000+08:00") -> str:
    """The XML of a filled form."""
    made = form_of(form)
    parts = {part.record_type.name: part for part in made.parts}
    body, metas = [], []
    for one in records:
        part = parts[one["kind"]]
        nodes = "".join(f"<{part.prefix}{name}>{_escaped(value)}</{part.prefix}{name}>" for name, value in one["answers"].items())
        nodes += f"<{part.prefix}dishu_seen>{one.get('seen', '')}</{part.prefix}dishu_seen>"
        if one.get("confirmed"):
            nodes += f"<{part.prefix}dishu_confirmed>OK</{part.prefix}dishu_confirmed>"
        create = one.get("create", False)
        attributes = f'dataset="{one["kind"]}" id="{one["id"]}" ' + ('create="true" update="false"' if create else 'create="false" update="true"')
        attributes += "".join(f' {name}="{one.get(name, "")}"' for name in ("baseVersion", "trunkVersion", "branchId"))
        meta = f'<entity xmlns="{ENTITIES}" {attributes}><label>x</label></entity>'
        if part.repeat:
            body.append(f"<{part.repeat}><{part.prefix}s_one>{nodes}</{part.prefix}s_one><meta>{meta}</meta></{part.repeat}>")
        else:
            body.append(f"<s_one>{nodes}</s_one>")
            metas.append(meta)
    instance = instance or f"uuid:{uuid.uuid4()}"
    return (
        f'<?xml version="1.0"?><data xmlns:orx="{ORX}" id="{made.form_id}" version="{version or made.version}">{"".join(body)}{extra}'
        f"<dishu_end>{ended}</dishu_end><orx:meta>{''.join(metas)}<orx:instanceID>{instance}</orx:instanceID></orx:meta></data>"
    )


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
