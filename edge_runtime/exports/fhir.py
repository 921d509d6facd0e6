"""HL7 FHIR R4 and R5 as plain JSON: a device, the ECG as sampled data, the mean heart rate.

Codes: ISO/IEEE 11073-10101 (MDC) for the ECG and its leads, LOINC for the heart rate. Status is
`preliminary`: nobody has reviewed it. No patient is named, but by a pseudonym where it is asked
for.
"""

from importlib.metadata import version
from typing import Any, Final, Literal

import numpy as np

from edge_runtime.errors import StoreError
from edge_runtime.events import BeatDetected
from edge_runtime.exports.recording import Recording
from edge_runtime.publication import utc_text

Release = Literal["R4", "R5"]

MDC: Final = "urn:iso:std:iso:11073:10101"
LOINC: Final = "http://loinc.org"
UCUM: Final = "http://unitsofmeasure.org"
ECG_CODE: Final = "131328"
HEART_RATE_CODE: Final = "8867-4"
LEAD_CODES: Final = {
    "I": ("131329", "MDC_ECG_LEAD_I"),
    "II": ("131330", "MDC_ECG_LEAD_II"),
    "V1": ("131331", "MDC_ECG_LEAD_V1"),
    "V2": ("131332", "MDC_ECG_LEAD_V2"),
    "V3": ("131333", "MDC_ECG_LEAD_V3"),
    "V4": ("131334", "MDC_ECG_LEAD_V4"),
    "V5": ("131335", "MDC_ECG_LEAD_V5"),
    "V6": ("131336", "MDC_ECG_LEAD_V6"),
    "III": ("131389", "MDC_ECG_LEAD_III"),
    "aVR": ("131390", "MDC_ECG_LEAD_AVR"),
    "aVL": ("131391", "MDC_ECG_LEAD_AVL"),
    "aVF": ("131392", "MDC_ECG_LEAD_AVF"),
}
"""11073-10101: MDC_ECG_ELEC_POTL (131328) plus the lead's number."""
_LONGEST_S: Final = 300


def fhir_bundle(recording: Recording, release: Release) -> dict[str, Any]:
    """A Bundle of a Device and Observations. Raises StoreError for more than five minutes."""
    if recording.n_samples > _LONGEST_S * recording.rate_hz:
        raise StoreError(f"FHIR holds at most {_LONGEST_S} s as text; choose by --from and --to")
    device = {
        "resourceType": "Device",
        "id": "runtime",
        "manufacturer": "ecg-edge",
        "version": [{"value": version("ecg-edge")}],
    }
    resources = [device, _ecg(recording, release), *_heart_rate(recording)]
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "timestamp": utc_text(recording.utc_ns(recording.last)),
        "entry": [
            {"fullUrl": f"urn:ecg-edge:{recording.session}:{one['id']}", "resource": one}
            for one in resources
        ],
    }


def _observation(recording: Recording, name: str, code: dict[str, Any]) -> dict[str, Any]:
    start, end = recording.utc_ns(recording.first), recording.utc_ns(recording.last)
    return {
        "resourceType": "Observation",
        "id": name,
        "status": "preliminary",
        "code": {"coding": [code]},
        "effectivePeriod": {"start": utc_text(start), "end": utc_text(end)},
        "device": {"reference": f"urn:ecg-edge:{recording.session}:runtime"},
        "note": [{"text": "Not a medical device; not reviewed by anybody."}],
        **_subject(recording),
    }


def _subject(recording: Recording) -> dict[str, Any]:
    if recording.wearer is None:
        return {}
    return {"subject": {"type": "Patient", "identifier": {"value": recording.wearer}}}


def _ecg(recording: Recording, release: Release) -> dict[str, Any]:
    code = {"system": MDC, "code": ECG_CODE, "display": "MDC_ECG_ELEC_POTL"}
    samples = np.concatenate([block for _, block in recording.blocks()])
    components = []
    for number, lead in enumerate(recording.signal.leads):
        step = 1.0 / recording.signal.counts_per_unit[number]
        components.append(
            {
                "code": _lead_code(lead),
                "valueSampledData": _sampled(recording, samples[:, number], step, release),
            }
        )
    return _observation(recording, "ecg", code) | {"component": components}


def _lead_code(lead: str) -> dict[str, Any]:
    """A lead that the nomenclature does not know (MLII, a strap) goes by its own name alone."""
    known = LEAD_CODES.get(lead)
    if known is None:
        return {"text": f"ECG {lead}"}
    return {"coding": [{"system": MDC, "code": known[0], "display": known[1]}], "text": lead}


def _sampled(
    recording: Recording, values: "np.typing.NDArray[np.float32]", step: float, release: Release
) -> dict[str, Any]:
    """value = data * factor + origin; E where there is no sample."""
    counts = np.rint(values.astype(np.float64) / step)
    data = " ".join("E" if np.isnan(count) else str(int(count)) for count in counts)
    period_ms = float(1000 / recording.rate_hz)
    timing = (
        {"period": period_ms} if release == "R4" else {"interval": period_ms, "intervalUnit": "ms"}
    )
    unit = recording.signal.unit
    origin = {"value": 0, "unit": unit, "system": UCUM, "code": unit}
    return {"origin": origin, **timing, "factor": step, "dimensions": 1, "data": data}


def _heart_rate(recording: Recording) -> list[dict[str, Any]]:
    """The mean of what was displayed; nothing where nothing was."""
    rates = [
        one.event.heart_rate_bpm
        for one in recording.events
        if isinstance(one.event, BeatDetected) and one.event.heart_rate_bpm is not None
    ]
    if not rates:
        return []
    code = {"system": LOINC, "code": HEART_RATE_CODE, "display": "Heart rate"}
    mean = round(sum(rates) / len(rates), 1)
    quantity = {"value": mean, "unit": "beats/minute", "system": UCUM, "code": "/min"}
    return [_observation(recording, "heart-rate", code) | {"valueQuantity": quantity}]
