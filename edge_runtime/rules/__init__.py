"""What is an alarm, and when it ends."""
