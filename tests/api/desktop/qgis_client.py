"""Opens the service in QGIS without a screen, draws it, and prints what it saw as JSON. Run by the system's Python.

Arguments: the service's address; west,south,east,north in EPSG:3857; the folder for pictures.
"""

import json
import sys
from pathlib import Path

from qgis.core import (
    QgsApplication,
    QgsCoordinateReferenceSystem,
    QgsFillSymbol,
    QgsMapRendererSequentialJob,
    QgsMapSettings,
    QgsProject,
    QgsRasterLayer,
    QgsRectangle,
    QgsSingleSymbolRenderer,
    QgsVectorLayer,
    QgsVectorTileBasicRenderer,
    QgsVectorTileBasicRendererStyle,
    QgsVectorTileLayer,
    QgsWkbTypes,
)
from qgis.PyQt.QtCore import QEventLoop, QSize
from qgis.PyQt.QtGui import QColor

SIZE = 700
RED, BLUE, GREEN = "#d02020", "#2040d0", "#20a040"

address, box, folder = sys.argv[1:]
QgsApplication.setPrefixPath("/usr", True)
app = QgsApplication([], False)
app.initQgis()
messages = []
QgsApplication.messageLog().messageReceived.connect(lambda text, tag, level: messages.append([tag, text, int(level)]))


def filled(colour):
    """A colour within the outline, and no line."""
    return QgsFillSymbol.createSimple({"color": colour, "outline_style": "no"})


def style(name, geometry, colour):
    """Draw one layer of the tiles, filled."""
    made = QgsVectorTileBasicRendererStyle(name, name, geometry)
    made.setSymbol(filled(colour))
    made.setEnabled(True)
    return made


def drawn(name, *layers):
    """Draw layers, the first on top, and save the picture."""
    settings = QgsMapSettings()
    settings.setLayers(list(layers))
    settings.setDestinationCrs(QgsCoordinateReferenceSystem("EPSG:3857"))
    settings.setExtent(QgsRectangle(*map(float, box.split(","))))
    settings.setOutputSize(QSize(SIZE, SIZE))
    settings.setBackgroundColor(QColor("white"))
    job = QgsMapRendererSequentialJob(settings)
    loop = QEventLoop()
    job.finished.connect(loop.quit)
    job.start()
    if job.isActive():
        loop.exec_()
    job.renderedImage().save(str(Path(folder, f"{name}.png")))
    return [str(error.message) for error in job.errors()]


features = QgsVectorLayer(f"url='{address}/' typename='parcels'", "parcels", "OAPIF")
features.setRenderer(QgsSingleSymbolRenderer(filled(GREEN)))
tiles = QgsVectorTileLayer(f"type=xyz&url={address}/tiles/%7Bz%7D/%7Bx%7D/%7By%7D.mvt&zmin=8&zmax=18", "tiles")
renderer = QgsVectorTileBasicRenderer()
renderer.setStyles(
    [
        style("parcels", QgsWkbTypes.PolygonGeometry, RED),
        style("buildings", QgsWkbTypes.PolygonGeometry, BLUE),
    ]
)
tiles.setRenderer(renderer)
relief = QgsRasterLayer(
    f"type=xyz&url={address}/raster/dtm/%7Bz%7D/%7Bx%7D/%7By%7D.png&zmin=10&zmax=18", "relief", "wms"
)
layers = {"features": features, "tiles": tiles, "relief": relief}
QgsProject.instance().addMapLayers(list(layers.values()))

seen = {"valid": {name: layer.isValid() for name, layer in layers.items()}, "errors": {}}
if features.isValid():
    found = {one["uid"]: one.geometry().asWkt(9) for one in features.getFeatures()}
    seen["features"] = {"crs": features.crs().authid(), "geometry": found}
for name, layer in layers.items():
    seen["errors"][name] = drawn(name, layer)
seen["errors"]["map"] = drawn("map", tiles, relief)
seen["messages"] = [message for message in messages if message[2] >= 1]
sys.stdout.write(json.dumps(seen) + "\n")
sys.stdout.flush()
app.exitQgis()
