"""The commands of `model-build`: each module holds one, named `command`."""
