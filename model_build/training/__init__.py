"""Training the student: segments of beats, loss, loop with checkpoints, predictions."""
