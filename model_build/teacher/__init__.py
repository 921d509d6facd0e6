"""The teacher's own data, training, predictions and files; its network is `models.teacher`."""
