"""Pictures of a city for notebooks and pages: one palette, maps with scale and legend, sections, clocks, models."""
