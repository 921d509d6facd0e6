"""Long work as jobs: each in a process and a folder of its own, named by its content."""
