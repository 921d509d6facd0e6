"""One table from records to the people in them; splits and folds are made of people.

MIT-BIH 201 and 202 are one man, nstdb mixes noise into mitdb 118 and 119, and qtdb is cut from
other archives, so a split by record would let a person stand on both sides.
"""

import re

from model_build.errors import DataError

_QTDB_SOURCES = (
    (re.compile(r"sel(1\d\d|2\d\d)"), "mitdb"),
    (re.compile(r"sel(3\d\d)"), "stdb"),
    (re.compile(r"sel(8\d\d)"), "svdb"),
    (re.compile(r"sel(1[5-9]\d{3})"), "nsrdb"),
    (re.compile(r"sel(1[0-4]\d{3})"), "ltdb"),
    (re.compile(r"sel(e\d{4})"), "edb"),
    (re.compile(r"sel(\d\d)"), "sddb"),
)

_PTBXL_SEVERAL = (
    "00017 00018 00020 00023 00026 00028 00034 00039", "00055 00056", "00112 00122",
    "00117 00119 00121 00132", "00137 00138", "00143 00144", "00177 00181", "00184 00189",
    "00217 00219", "00256 00346", "00271 00336 00347", "00279 00282",
)  # fmt: skip
"""Pinned records of one person each (`patient_id` of ptbxl_database.csv)."""
_PTBXL_PERSON = {
    record: people.split()[0] for people in _PTBXL_SEVERAL for record in people.split()
}


def subject(database: str, record: str) -> str:
    """Name of the person in `record`, "archive/first record". Raises `DataError` if unknown."""
    match database:
        case "mitdb" | "mitdb-pwave":
            return "mitdb/201" if record == "202" else f"mitdb/{record.removesuffix('-0')}"
        case "nstdb" if "e" in record and record[:3].isdigit():
            return f"mitdb/{record[:3]}"
        case "svdb" | "cinc2017" | "cinc2020" | "ludb":
            return f"{database}/{record}"
        case "cinc2015" | "cinc2021" | "ptbxl":
            return _clinical_subject(database, record)
        case "cpsc2021":
            return f"cpsc2021/{record.split('_')[1]}"
        case "qtdb":
            return _qtdb_subject(record)
        case _:
            raise DataError(f"no rule says who is in {database}/{record}; add one before using it")


def _clinical_subject(database: str, record: str) -> str:
    if database == "cinc2015":
        # Nobody is named there; neighbouring numbers are probably one person.
        return f"cinc2015/{int(record[1:-1]) // 10}x"
    # A record of PTB-XL is "00017_hr" there and "HR00017" in cinc2021.
    number = record.removesuffix("_hr").removeprefix("HR")
    if not number.isdigit():
        return f"{database}/{record}"
    return f"ptbxl/{_PTBXL_PERSON.get(number, number)}"


def _qtdb_subject(record: str) -> str:
    for pattern, source in _QTDB_SOURCES:
        found = pattern.fullmatch(record)
        if found:
            return subject(source, found[1]) if source == "mitdb" else f"{source}/{found[1]}"
    raise DataError(f"no rule says from which archive qtdb/{record} was cut; add one")
