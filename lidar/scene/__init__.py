"""The simulated city and its scanner: ground truth of a ward, and the registers and points a survey would bring home."""
