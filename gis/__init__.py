"""What the city knows: its values, its rules, its store."""
