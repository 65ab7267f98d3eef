"""LAS, LAZ and COPC as they lie in a file: header, records, compression, octree, CRS."""
