"""Forms as XForms: made once from the record types by pyxform, the same for everybody."""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from forms.definition import RecordType
from forms.errors import DefinitionError
from forms.odk_form import CollectForm, collect_forms, document_of, survey_form
from forms.registry import Registry


@dataclass(frozen=True, slots=True)
class ReadyForm:
    """A form with its XML; ``md5`` is what OpenRosa calls its hash, without the prefix.

    ``form.version`` here is the version that phones are told: the record type's, a dot, and a hash of the XML itself.
    """

    form: CollectForm
    xml: bytes
    md5: str


LOG = logging.getLogger("dishu.odk")
_gate = threading.Lock()


def ready_forms(registry: Registry) -> Mapping[str, ReadyForm]:
    """All forms that are offered, by id; closed surveys are not. The first call takes a second or two."""
    with _gate:
        return _made(registry)


@lru_cache(maxsize=32)
def _made(registry: Registry) -> Mapping[str, ReadyForm]:
    from pyxform.errors import PyXFormError  # only who serves forms to Collect pays for it
    from pyxform.xls2xform import convert

    ready = {}
    for form_id, form in collect_forms(registry).items():
        if form_id in registry.closed:
            continue
        try:
            xml = convert(xlsform=document_of(form), validate=False).xform.encode()
        except PyXFormError:
            if form_id not in registry.surveys:
                raise
            LOG.warning("the special survey %s is not offered to ODK Collect: XForms cannot say it", form_id)
            continue
        ready[form_id] = stamped(form, xml)
    return ready


@lru_cache(maxsize=64)
def said_by_collect(survey: RecordType) -> bool:
    """Whether ODK Collect can be offered a special survey: a form can be made of it that XForms can say."""
    from pyxform.errors import PyXFormError
    from pyxform.xls2xform import convert

    try:
        with _gate:
            convert(xlsform=document_of(survey_form(survey)), validate=False)
    except (DefinitionError, PyXFormError):
        return False
    return True


def stamped(form: CollectForm, xml: bytes) -> ReadyForm:
    """The form with a version of its own bytes, so that no version is ever given out again with other bytes.

    The version that the form came with is a hash of what is asked; another release of pyxform may write the same questions differently.
    """
    head = form.version.partition(".")[0]
    version = f"{head}.{hashlib.sha256(xml).hexdigest()[:10]}"
    told = xml.replace(f'version="{form.version}"'.encode(), f'version="{version}"'.encode(), 1)
    return ReadyForm(replace(form, version=version), told, hashlib.md5(told, usedforsecurity=False).hexdigest())
