// The campaigns of LIDAR the city has, each with its days: asked once.

const MOST = 50;

export function createEpochs(app) {
  let asked = null;
  async function ask() {
    const survey = await app.api.json("stac/collections/survey");
    const names = (survey.summaries?.["diaba:epoch"] ?? []).slice(0, MOST);
    const found = await Promise.all(names.map(async (epoch) => {
      const query = { epoch, limit: 1, skipGeometry: true, properties: "epoch,flown_from,flown_to", f: "json" };
      const { features: [tile] } = await app.api.json("collections/lidar_tiles/items", query);
      return { epoch, from: tile?.properties.flown_from ?? null, to: tile?.properties.flown_to ?? null };
    }));
    return found.sort((a, b) => String(a.to).localeCompare(String(b.to)) || a.epoch.localeCompare(b.epoch));
  }
  // [{ epoch, from, to }], the oldest first.
  return () => {
    asked ??= ask().catch((error) => { asked = null; throw error; });
    return asked;
  };
}
