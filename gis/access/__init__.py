"""The city's who sees what."""
