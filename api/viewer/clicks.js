// A click on the map, or Enter where its middle is: the card of what lies there.

const NEAR = 4;

export function mount(app) {
  const { map } = app;
  const clickable = () => [...app.card.kinds]
    .flatMap(([kind, { layers = [] }]) => layers.map((layer) => [layer, kind]))
    .filter(([layer]) => map.getLayer(layer) && map.getLayoutProperty(layer, "visibility") !== "none");

  // What lies at a point of the screen, the nearest to the eye first; [] where nothing can be asked.
  app.at = (point, near = 0) => {
    const kindOf = new Map(clickable());
    const place = near ? [[point.x - near, point.y - near], [point.x + near, point.y + near]] : point;
    return map.queryRenderedFeatures(place, { layers: [...kindOf.keys()] }).map((feature) => {
      const kind = kindOf.get(feature.layer.id);
      return { kind, id: String(feature.properties[app.card.kinds.get(kind).key]), feature };
    });
  };
  // A part that needs clicks for itself (a line to be drawn) takes them; false gives them back.
  app.takeClicks = (taker) => { app.clickTaker = taker || null; };

  map.on("click", (event) => {
    if (app.clickTaker) {
      app.clickTaker(event);
      return;
    }
    const [hit] = app.at(event.point).concat(app.at(event.point, NEAR));
    app.select(hit ? { kind: hit.kind, id: hit.id } : null);
  });
  map.on("mousemove", ({ point }) => {
    map.getCanvas().style.cursor = app.clickTaker ? "crosshair" : app.at(point).length ? "pointer" : "";
  });
  map.getCanvas().addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    const [hit] = app.at(map.project(map.getCenter()), NEAR);
    if (hit) app.select({ kind: hit.kind, id: hit.id }, { focus: true });
    else app.say(app.t("map.nothing"));
  });
}
