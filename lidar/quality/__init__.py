"""How good a survey is: inspection against itself and a reference, accuracy against check points, their pages."""
