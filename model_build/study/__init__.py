"""Ablations: switches of a recipe, each trained over folds and seeds, compared by J."""
