"""What the daemon keeps: events in SQLite, raw signal as WFDB records.

DIRECTORY/events.sqlite3            sessions, beats, events, alarms, gaps, clock anchors
DIRECTORY/raw/SESSION/SIGNAL.hea    one multi-segment WFDB record for each signal
"""
