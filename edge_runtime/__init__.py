"""The daemon: signal path, inference, rules, engine, store and views."""
