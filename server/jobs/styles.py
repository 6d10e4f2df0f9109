"""How layers look when a GeoPackage is opened: a style for QGIS (QML) and the same as SLD 1.0, made from the layer.

Cells are outlines with their name; records are dots, coloured by a code where a layer has one that says what they are.
"""

from __future__ import annotations

from collections.abc import Iterable
from xml.sax.saxutils import escape, quoteattr

from server.services.layers import Layer

STYLE_TABLE = """CREATE TABLE layer_styles (id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, f_table_catalog TEXT(256),
  f_table_schema TEXT(256), f_table_name TEXT(256), f_geometry_column TEXT(256), styleName TEXT(30), styleQML TEXT,
  styleSLD TEXT, useAsDefault BOOLEAN, description TEXT, owner TEXT(30), ui TEXT(30),
  update_time DATETIME DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')))"""

# Colours that people with red-green blindness tell apart (Okabe and Ito 2008).
_COLOURS = (
    "#0072b2",
    "#e69f00",
    "#009e73",
    "#cc79a7",
    "#56b4e9",
    "#d55e00",
    "#f0e442",
    "#999999",
    "#332288",
    "#117733",
)
_BY_CODE = {"dwellings": "use", "resources": "kind", "organizations": "kind", "buildings": "use", "estates": "kind"}
_LABELS = {"cells": "name", "dedicated_cells": "name", "estates": "name", "buildings": "number", "resources": "name", "organizations": "name"}


def default_style(layer: Layer, number: int) -> tuple[str, str]:
    """QML and SLD of a layer; ``number`` chooses the colour of layers with one."""
    code = _BY_CODE.get(layer.name)
    codes = layer.codes.get(code, {}) if code is not None else {}
    colour = _COLOURS[number % len(_COLOURS)]
    rules = [(value, title, _COLOURS[place % len(_COLOURS)]) for place, (value, title) in enumerate(codes.items())]
    return _qml(layer, colour, code, rules), _sld(layer, colour, code, rules)


# ---------------------------------------------------------------- QML
def _qml(layer: Layer, colour: str, code: str | None, rules: list[tuple[str, str, str]]) -> str:
    shades = [shade for _, _, shade in rules] + [colour if not rules else "#bbbbbb"]
    symbols = "".join(_symbol(layer, str(place), shade) for place, shade in enumerate(shades))
    if rules and code is not None:
        categories = "".join(
            f'<category value={quoteattr(value)} symbol="{place}" label={quoteattr(title)} render="true"/>'
            for place, (value, title, _) in enumerate(rules)
        )
        categories += f'<category value="" symbol="{len(rules)}" label="其他" render="true"/>'
        renderer = (
            f'<renderer-v2 type="categorizedSymbol" attr={quoteattr(code)} symbollevels="0" enableorderby="0" '
            f'forceraster="0"><categories>{categories}</categories><symbols>{symbols}</symbols></renderer-v2>'
        )
    else:
        renderer = (
            '<renderer-v2 type="singleSymbol" symbollevels="0" enableorderby="0" forceraster="0">'
            f"<symbols>{symbols}</symbols></renderer-v2>"
        )
    aliases = "".join(
        f'<alias index="{place}" field={quoteattr(column.name)} name={quoteattr(column.title)}/>'
        for place, column in enumerate(layer.columns, 1)
    )
    return (
        "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>"
        '<qgis version="3.22.0" styleCategories="Symbology|Labeling|Fields" labelsEnabled="'
        f'{int(layer.name in _LABELS)}">{renderer}{_labels(layer)}<aliases>{aliases}</aliases>'
        f"<layerGeometryType>{2 if layer.geometry == 'Polygon' else 0}</layerGeometryType></qgis>"
    )


def _symbol(layer: Layer, name: str, colour: str) -> str:
    if layer.geometry == "Polygon":
        kind, brush = "SimpleFill", [
            ("color", _rgba(colour, 30)), ("style", "solid"), ("outline_color", _rgba(colour, 255)),
            ("outline_style", "solid"), ("outline_width", "0.5"), ("outline_width_unit", "MM"),
        ]  # fmt: skip
    else:
        kind, brush = "SimpleMarker", [
            ("name", "circle"), ("color", _rgba(colour, 255)), ("size", "2.2"), ("size_unit", "MM"),
            ("outline_color", "255,255,255,255"), ("outline_width", "0.2"), ("outline_width_unit", "MM"),
        ]  # fmt: skip
    shape = "fill" if layer.geometry == "Polygon" else "marker"
    return (
        f'<symbol type="{shape}" name="{name}" alpha="1" clip_to_extent="1" force_rhr="0">'
        f'<layer class="{kind}" enabled="1" pass="0" locked="0">{_options(brush)}</layer></symbol>'
    )


def _options(pairs: Iterable[tuple[str, str]]) -> str:
    """As QGIS writes them since 3.22, and as it read them before."""
    known = list(pairs)
    new = "".join(f'<Option name="{name}" type="QString" value={quoteattr(value)}/>' for name, value in known)
    old = "".join(f"<prop k={quoteattr(name)} v={quoteattr(value)}/>" for name, value in known)
    return f'<Option type="Map">{new}</Option>{old}'


def _labels(layer: Layer) -> str:
    field = _LABELS.get(layer.name)
    if field is None:
        return ""
    around = '<text-buffer bufferDraw="1" bufferSize="0.8" bufferSizeUnits="MM" bufferColor="255,255,255,255"/>'
    scale = '<rendering scaleVisibility="0" obstacle="1"/>' if layer.geometry == "Polygon" else (
        '<rendering scaleVisibility="1" scaleMin="0" scaleMax="5000" obstacle="1"/>'
    )  # fmt: skip
    return (
        f'<labeling type="simple"><settings calloutType="simple"><text-style fieldName={quoteattr(field)} isExpression="0" '
        f'fontSize="9" fontSizeUnit="Point" textColor="30,30,30,255">{around}</text-style>'
        f'<placement placement="{1 if layer.geometry == "Polygon" else 0}" centroidInside="1"/>{scale}</settings></labeling>'
    )


def _rgba(colour: str, opacity: int) -> str:
    red, green, blue = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
    return f"{red},{green},{blue},{opacity}"


# ---------------------------------------------------------------- SLD
def _sld(layer: Layer, colour: str, code: str | None, rules: list[tuple[str, str, str]]) -> str:
    made = "".join(
        f"<Rule><Name>{escape(title)}</Name><ogc:Filter><ogc:PropertyIsEqualTo><ogc:PropertyName>{escape(code or '')}"
        f"</ogc:PropertyName><ogc:Literal>{escape(value)}</ogc:Literal></ogc:PropertyIsEqualTo></ogc:Filter>"
        f"{_sld_symbol(layer, shade)}</Rule>"
        for value, title, shade in rules
    )
    rest = "<ElseFilter/>" if rules else ""
    made += f"<Rule><Name>{'其他' if rules else escape(layer.title)}</Name>{rest}{_sld_symbol(layer, '#bbbbbb' if rules else colour)}</Rule>"
    return (
        '<?xml version="1.0" encoding="UTF-8"?><StyledLayerDescriptor version="1.0.0" '
        'xmlns="http://www.opengis.net/sld" xmlns:ogc="http://www.opengis.net/ogc">'
        f"<NamedLayer><Name>{escape(layer.name)}</Name><UserStyle><Title>{escape(layer.title)}</Title>"
        f"<FeatureTypeStyle>{made}</FeatureTypeStyle></UserStyle></NamedLayer></StyledLayerDescriptor>"
    )


def _sld_symbol(layer: Layer, colour: str) -> str:
    fill = f'<Fill><CssParameter name="fill">{colour}</CssParameter>{{}}</Fill>'
    if layer.geometry == "Polygon":
        light = fill.format('<CssParameter name="fill-opacity">0.12</CssParameter>')
        edge = f'<Stroke><CssParameter name="stroke">{colour}</CssParameter><CssParameter name="stroke-width">1.5</CssParameter></Stroke>'
        return f"<PolygonSymbolizer>{light}{edge}</PolygonSymbolizer>"
    return f"<PointSymbolizer><Graphic><Mark><WellKnownName>circle</WellKnownName>{fill.format('')}</Mark><Size>7</Size></Graphic></PointSymbolizer>"
