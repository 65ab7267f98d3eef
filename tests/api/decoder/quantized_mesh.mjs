// Decode quantized-mesh tiles with somebody else's decoder: files as arguments, one JSON document out.
import { readFileSync } from "node:fs";
import decoder from "@here/quantized-mesh-decoder";

const decode = decoder.default ?? decoder;
const found = process.argv.slice(2).map((path) => {
  const bytes = readFileSync(path);
  const tile = decode(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
  const plain = (array) => (array === undefined ? null : Array.from(array));
  return {
    header: tile.header,
    vertices: plain(tile.vertexData),
    triangles: plain(tile.triangleIndices),
    edges: {
      west: plain(tile.westIndices),
      south: plain(tile.southIndices),
      east: plain(tile.eastIndices),
      north: plain(tile.northIndices),
    },
    normals: plain(tile.extensions?.vertexNormals),
    metadata: tile.extensions?.metadata ?? null,
  };
});
process.stdout.write(JSON.stringify(found));
