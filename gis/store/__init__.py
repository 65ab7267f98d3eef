"""The store: PostgreSQL with PostGIS. SQL lives here alone."""
