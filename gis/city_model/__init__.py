"""The city's buildings as solids, and their exchange formats."""
