"""Models and firmware from a signed repository: fetched, verified, tried, kept or taken back."""
