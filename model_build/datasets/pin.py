"""Checksums of what the catalogue names: run by a person, its lines are committed.

    python -m model_build.datasets.pin DIR model_build/datasets/checksums.txt

DIR is a folder of archives that are known to be intact. A record that has a line keeps it.
"""

import sys
from pathlib import Path

from model_build.datasets.catalogue import catalogue, checksums, record_digest


def pin(directory: Path, file: Path) -> int:
    """Rewrite `file` with a line for every record of the catalogue; how many are new.

    Raises `DataError` if a file of a record without a line is absent from `directory`.
    """
    known = checksums()
    lines, new = [], 0
    for db in catalogue().values():
        for record in db.records:
            key = f"{db.name}/{record}"
            digest = known.get(key)
            if digest is None:
                digest = record_digest(db.folder(directory), db, record)
                new += 1
            lines.append(f"{digest}  {key}\n")
    file.write_text("".join(lines))
    return new


if __name__ == "__main__":
    print(pin(Path(sys.argv[1]), Path(sys.argv[2])), "new")
