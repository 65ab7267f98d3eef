"""The city's permits and what they are held against."""
