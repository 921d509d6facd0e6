"""From archives to a bundle set: stages, each a job whose outputs are named by their content."""
