// MapLibre, told where its worker is; the bundler fills in the worker's name.
/* global MAPLIBRE_WORKER */

import { setWorkerUrl } from "maplibre-gl";

setWorkerUrl(new URL(MAPLIBRE_WORKER, import.meta.url).href);

export { AttributionControl, Map, Marker, NavigationControl, Popup, ScaleControl } from "maplibre-gl";
