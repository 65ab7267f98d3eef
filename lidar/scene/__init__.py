"""The simulated city and its scanner: a ward's ground truth, and the registers and points a survey brings home."""
