// What the Khronos validator says of glTF files: a line of JSON each. Arguments: the files.

import { readFile } from "node:fs/promises";
import validator from "gltf-validator";

for (const file of process.argv.slice(2)) {
  const { issues, info } = await validator.validateBytes(new Uint8Array(await readFile(file)), { maxIssues: 1000 });
  console.log(JSON.stringify({ ...issues, vertices: info.totalVertexCount, triangles: info.totalTriangleCount }));
}
