"""The main job: a district from nothing to served, and what came out of it."""
