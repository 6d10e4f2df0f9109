"""Coded-value domains in a File Geodatabase: added through GDAL's C interface, which pyogrio does not pass on.

The library is the one that pyogrio brings or was built with. Where it cannot be reached (Windows), the geodatabase is
whole but for its domains, and the package says so.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from server.services.layers import Layer

_UPDATE, _VECTOR = 0x01, 0x04  # GDAL_OF_*
_ALTER_DOMAIN, _ALTER_ALIAS = 0x40, 0x80  # ALTER_*_FLAG of ogr_core.h
_HANDLE, _TEXT, _INT = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
_FUNCTIONS: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "GDALOpenEx": (_HANDLE, (_TEXT, ctypes.c_uint, _HANDLE, _HANDLE, _HANDLE)),
    "GDALClose": (_INT, (_HANDLE,)),
    "GDALDatasetGetLayerByName": (_HANDLE, (_HANDLE, _TEXT)),
    "GDALDatasetAddFieldDomain": (ctypes.c_bool, (_HANDLE, _HANDLE, _HANDLE)),
    "OGR_L_GetLayerDefn": (_HANDLE, (_HANDLE,)),
    "OGR_L_AlterFieldDefn": (_INT, (_HANDLE, _INT, _HANDLE, _INT)),
    "OGR_FD_GetFieldIndex": (_INT, (_HANDLE, _TEXT)),
    "OGR_FD_GetFieldDefn": (_HANDLE, (_HANDLE, _INT)),
    "OGR_Fld_GetType": (_INT, (_HANDLE,)),
    "OGR_Fld_Create": (_HANDLE, (_TEXT, _INT)),
    "OGR_Fld_Destroy": (None, (_HANDLE,)),
    "OGR_Fld_SetDomainName": (None, (_HANDLE, _TEXT)),
    "OGR_Fld_SetAlternativeName": (None, (_HANDLE, _TEXT)),
    "OGR_CodedFldDomain_Create": (_HANDLE, (_TEXT, _TEXT, _INT, _INT, _HANDLE)),
    "OGR_FldDomain_Destroy": (None, (_HANDLE,)),
}


class _Code(ctypes.Structure):
    _fields_ = (("code", _TEXT), ("label", _TEXT))


@cache
def _library() -> Any | None:
    """GDAL as pyogrio has loaded it; None where its functions cannot be reached."""
    import pyogrio._io

    try:
        library = ctypes.CDLL(pyogrio._io.__file__)
        for name, (result, arguments) in _FUNCTIONS.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
    except (OSError, AttributeError):
        return None
    return library


def can_add_domains() -> bool:
    """Whether this installation can write domains at all."""
    return _library() is not None


def add_domains(path: Path, layers: Sequence[Layer]) -> int:
    """Give every coded column of a closed geodatabase its domain, called ``<layer>_<column>`` as in the GeoPackage.

    Returns
    -------
    int
        Domains added; 0 where GDAL cannot be reached.

    Raises
    ------
    OSError
        GDAL refuses to open the file or to take a domain.
    """
    gdal = _library()
    if gdal is None:
        return 0
    opened = gdal.GDALOpenEx(str(path).encode(), _VECTOR | _UPDATE, None, None, None)
    if not opened:
        raise OSError(f"{path.name} cannot be opened to be changed")
    try:
        return sum(_add(gdal, opened, layer, name, codes) for layer in layers for name, codes in layer.codes.items() if codes)
    finally:
        gdal.GDALClose(opened)


def _add(gdal: Any, opened: Any, layer: Layer, name: str, codes: Mapping[str, str]) -> int:
    title = next(column.title for column in layer.columns if column.name == name).encode()
    called = f"{layer.name}_{name}".encode()
    table = gdal.GDALDatasetGetLayerByName(opened, layer.name.encode())
    columns = gdal.OGR_L_GetLayerDefn(table)
    at = gdal.OGR_FD_GetFieldIndex(columns, name.encode())
    kind = gdal.OGR_Fld_GetType(gdal.OGR_FD_GetFieldDefn(columns, at))
    # The list ends with an empty entry.
    listed = (_Code * (len(codes) + 1))(*[_Code(code.encode(), label.encode()) for code, label in codes.items()])
    domain = gdal.OGR_CodedFldDomain_Create(called, title, kind, 0, ctypes.byref(listed))
    changed = gdal.OGR_Fld_Create(name.encode(), kind)
    try:
        gdal.OGR_Fld_SetDomainName(changed, called)
        gdal.OGR_Fld_SetAlternativeName(changed, title)
        if not gdal.GDALDatasetAddFieldDomain(opened, domain, None):
            raise OSError(f"the domain of {layer.name}.{name} was not taken")
        if gdal.OGR_L_AlterFieldDefn(table, at, changed, _ALTER_DOMAIN | _ALTER_ALIAS) != 0:
            raise OSError(f"{layer.name}.{name} did not take its domain")
    finally:
        gdal.OGR_Fld_Destroy(changed)
        gdal.OGR_FldDomain_Destroy(domain)
    return 1
