"""The compiled loops, made before the first work needs them."""
