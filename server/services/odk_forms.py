"""Forms as XForms: made once from the record types by pyxform, the same for everybody."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from forms.odk_form import CollectForm, collect_forms, document_of
from forms.registry import Registry


@dataclass(frozen=True, slots=True)
class ReadyForm:
    """A form with its XML; ``md5`` is what OpenRosa calls its hash, without the prefix."""

    form: CollectForm
    xml: bytes
    md5: str


_gate = threading.Lock()


def ready_forms(registry: Registry) -> Mapping[str, ReadyForm]:
    """All forms by id. The first call takes a second or two."""
    with _gate:
        return _made(registry)


@lru_cache(maxsize=2)
def _made(registry: Registry) -> Mapping[str, ReadyForm]:
    from pyxform.xls2xform import convert  # only who serves forms to Collect pays for it

    ready = {}
    for form_id, form in collect_forms(registry).items():
        xml = convert(xlsform=document_of(form), validate=False).xform.encode()
        ready[form_id] = ReadyForm(form, xml, hashlib.md5(xml, usedforsecurity=False).hexdigest())
    return ready
