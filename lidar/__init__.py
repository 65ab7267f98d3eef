"""What the city measures: points to terrain, buildings, water, wires."""
