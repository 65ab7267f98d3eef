"""Parcels in and out of files: one record type, one module a format, the checks, and the report of what is wrong."""
