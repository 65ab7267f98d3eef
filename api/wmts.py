"""WMTS 1.0.0 (OGC 07-057r7): what the picture layers are and how their tiles are found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor
from xml.sax.saxutils import escape, quoteattr

from api.pictures import LAYERS, PIXELS
from gis.tile_grid import HALF_WORLD

MATRIX_SET = "WebMercatorQuad"
STYLE = "default"
SCALE_OF_ZERO = 559_082_264.028_717_8
"""Scale denominator of level 0: pixels of 0.28 mm, as the standard has them."""
XML = "application/xml"


@dataclass(frozen=True, slots=True)
class Reach:
    """What the rasters cover and at which levels tiles are drawn."""

    degrees: Sequence[float]
    """West, south, east, north."""
    metres: Sequence[float]
    """The same in Web Mercator."""
    zoom_least: int
    zoom_most: int


def capabilities(title: str, base: str, reach: Reach, datums: dict[str, str]) -> str:
    """The capabilities document.

    Args:
        title: of the service.
        base: where clients reach it.
        reach: what there is.
        datums: of each raster product what its heights are above.
    """
    layers = "".join(_layer(name, base, reach, datums[layer.shows]) for name, layer in LAYERS.items())
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<Capabilities xmlns="http://www.opengis.net/wmts/1.0" xmlns:ows="http://www.opengis.net/ows/1.1" '
        'xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        'xsi:schemaLocation="http://www.opengis.net/wmts/1.0 '
        'http://schemas.opengis.net/wmts/1.0/wmtsGetCapabilities_response.xsd" version="1.0.0">\n'
        f"<ows:ServiceIdentification><ows:Title>{escape(title)}</ows:Title>"
        "<ows:ServiceType>OGC WMTS</ows:ServiceType><ows:ServiceTypeVersion>1.0.0</ows:ServiceTypeVersion>"
        "</ows:ServiceIdentification>\n"
        f"<ows:OperationsMetadata>{_operation('GetCapabilities', base)}{_operation('GetTile', base)}"
        "</ows:OperationsMetadata>\n"
        f"<Contents>\n{layers}{_matrix_set(reach.zoom_most)}</Contents>\n"
        f"<ServiceMetadataURL xlink:href={quoteattr(base + '/wmts/1.0.0/WMTSCapabilities.xml')}/>\n"
        "</Capabilities>\n"
    )


def _operation(name: str, base: str) -> str:
    return (
        f'<ows:Operation name="{name}"><ows:DCP><ows:HTTP><ows:Get xlink:href={quoteattr(base + "/wmts?")}>'
        '<ows:Constraint name="GetEncoding"><ows:AllowedValues><ows:Value>KVP</ows:Value></ows:AllowedValues>'
        "</ows:Constraint></ows:Get></ows:HTTP></ows:DCP></ows:Operation>"
    )


def _layer(name: str, base: str, reach: Reach, datum: str) -> str:
    layer = LAYERS[name]
    west, south, east, north = reach.degrees
    template = f"{base}/raster/{name}/{{TileMatrix}}/{{TileCol}}/{{TileRow}}.png"
    limits = "".join(_limits(zoom, reach.metres) for zoom in range(reach.zoom_least, reach.zoom_most + 1))
    return (
        f"<Layer><ows:Title>{escape(layer.title)}</ows:Title>"
        f"<ows:Abstract>{escape(layer.description)}. Heights above: {escape(datum)}</ows:Abstract>"
        f"<ows:WGS84BoundingBox><ows:LowerCorner>{west} {south}</ows:LowerCorner>"
        f"<ows:UpperCorner>{east} {north}</ows:UpperCorner></ows:WGS84BoundingBox>"
        f"<ows:Identifier>{name}</ows:Identifier>"
        f'<Style isDefault="true"><ows:Identifier>{STYLE}</ows:Identifier></Style><Format>image/png</Format>'
        f"<TileMatrixSetLink><TileMatrixSet>{MATRIX_SET}</TileMatrixSet>"
        f"<TileMatrixSetLimits>{limits}</TileMatrixSetLimits></TileMatrixSetLink>"
        f'<ResourceURL format="image/png" resourceType="tile" template={quoteattr(template)}/></Layer>\n'
    )


def _limits(zoom: int, metres: Sequence[float]) -> str:
    side, last = 2 * HALF_WORLD / 2**zoom, 2**zoom - 1
    west, south, east, north = metres

    def number(distance: float) -> int:
        return int(min(max(floor(distance / side), 0), last))

    return (
        f"<TileMatrixLimits><TileMatrix>{zoom}</TileMatrix>"
        f"<MinTileRow>{number(HALF_WORLD - north)}</MinTileRow><MaxTileRow>{number(HALF_WORLD - south)}</MaxTileRow>"
        f"<MinTileCol>{number(west + HALF_WORLD)}</MinTileCol><MaxTileCol>{number(east + HALF_WORLD)}</MaxTileCol>"
        "</TileMatrixLimits>"
    )


def _matrix_set(zoom_most: int) -> str:
    levels = "".join(
        f"<TileMatrix><ows:Identifier>{zoom}</ows:Identifier>"
        f"<ScaleDenominator>{SCALE_OF_ZERO / 2**zoom!r}</ScaleDenominator>"
        f"<TopLeftCorner>{-HALF_WORLD!r} {HALF_WORLD!r}</TopLeftCorner>"
        f"<TileWidth>{PIXELS}</TileWidth><TileHeight>{PIXELS}</TileHeight>"
        f"<MatrixWidth>{2**zoom}</MatrixWidth><MatrixHeight>{2**zoom}</MatrixHeight></TileMatrix>\n"
        for zoom in range(zoom_most + 1)
    )
    return (
        f"<TileMatrixSet><ows:Identifier>{MATRIX_SET}</ows:Identifier>"
        "<ows:SupportedCRS>urn:ogc:def:crs:EPSG::3857</ows:SupportedCRS>"
        "<WellKnownScaleSet>urn:ogc:def:wkss:OGC:1.0:GoogleMapsCompatible</WellKnownScaleSet>\n"
        f"{levels}</TileMatrixSet>\n"
    )
