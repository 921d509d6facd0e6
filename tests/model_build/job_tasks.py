"""Tasks for the tests of jobs: small, and seen by the files they leave."""

import time

from model_build.stopping import check_stop


def leave(folder, arguments, tell):
    tell("leaving", 0.5)
    (folder / "left.txt").write_text(arguments["word"])
    for name in arguments.get("read", []):
        assert (folder.parent / name / "left.txt").is_file()


def fail(folder, arguments, tell):
    raise RuntimeError("on purpose")


def endless_at_first(folder, arguments, tell):
    """The first turn works until it is stopped; the second ends."""
    mark = folder / "begun"
    if mark.is_file():
        return
    mark.touch()
    while True:
        check_stop()
        time.sleep(0.01)  # stands for work


def three_epochs(folder, arguments, tell):
    state = folder / "epochs"
    for epoch in range(len(state.read_text()) if state.is_file() else 0, 3):
        state.write_text("x" * (epoch + 1))
        tell("epoch", (epoch + 1) / 3)
        if epoch < 2:
            check_stop()
