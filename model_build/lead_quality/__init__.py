"""Good, usable, unusable: what the network behind them learns from, and how well they tell."""
