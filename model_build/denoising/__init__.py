"""Ways to take noise away, compared on training records with the noise that may train."""
