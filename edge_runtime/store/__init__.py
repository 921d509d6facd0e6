"""What the daemon keeps: events in SQLite, raw signal as WFDB records."""
