"""The shape of the database, step by step, up and down; run by `gis.store.migrate`, without a configuration file."""
