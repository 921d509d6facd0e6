"""Published inter-patient results, each with the protocol it was counted by."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Published:
    """F1 as fractions, None where not given. `protocol` says what differs from this report's."""

    work: str
    sveb_f1: float | None
    veb_f1: float | None
    protocol: str
    comparable: bool = True


PUBLISHED: Final = (
    Published(
        "Construe (Teijeiro 2018)", 0.854, 0.957,
        "no training, off-line, both leads, starts from reference marks, escapes as S "
        "(SVEB .62 without 232)",
    ),
    Published("Niu 2020, CNN", 0.766, 0.897, "DS1 to DS2, reference marks"),
    Published("Guo 2019, DenseNet + GRU", 0.61, 0.90, "DS1 to DS2, reference marks"),
    Published("Mondejar-Guerra 2019, SVM ensemble", 0.61, 0.94, "DS1 to DS2, reference marks"),
    Published("de Chazal 2004, LDA", 0.51, 0.80, "DS1 to DS2, both leads, reference marks"),
    Published(
        "Farag 2023, matched-filter CNN, 15 KB", None, None,
        "DS1 to DS2; Se 85.3 % (SVEB), 96.3 % (VEB), mean F1 92.2 %; not replicated",
    ),
    Published(
        "Zhai & Tin 2018, patient-specific", 0.75, 0.93,
        "first 5 minutes of each tested patient labelled by hand, 24 records", comparable=False,
    ),
    Published(
        "papers with 98 to 99.9 %", None, None,
        "intra-patient: beats of one patient on both sides of the split", comparable=False,
    ),
)  # fmt: skip
"""Most detect no beats of their own: a missed or extra beat costs them nothing."""
