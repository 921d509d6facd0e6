"""What `doctor` finds: one answer each, with what to do about it."""

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["good", "warning", "bad"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One answer."""

    subject: str
    verdict: Verdict
    words: str
