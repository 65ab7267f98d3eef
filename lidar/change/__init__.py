"""What changed between two surveys: buildings, and earth moved; how the surveys lie beside each other is taken out."""
