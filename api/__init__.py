"""How the city is asked: HTTP, tiles, web viewer and the command line."""
