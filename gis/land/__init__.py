"""The city's parcels and the rights on them."""
