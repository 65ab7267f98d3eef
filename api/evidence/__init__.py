"""Evidence sheets: what was measured at a building and what is permitted, on paper, for an inspector and a judge."""
