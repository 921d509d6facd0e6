"""A trained peer over a record as `evaluate` reads it, beside the bundle that is judged."""

from firmware_bridge.records import Annotations, read_header
from model_build.datasets.recording import Recording
from model_build.evaluate.beats import Speak
from model_build.evaluate.float_student import tapped_beats
from model_build.evaluate.labels import emitted
from model_build.peers.cells import labels_of
from model_build.peers.peer import Peer


def peer_speaks(peer: Peer, mains_hz: int | None) -> Speak:
    """The peer at the peaks of the shipped signal path, first channel."""

    def speak(recording: Recording) -> Annotations:
        beats = tapped_beats(recording, mains_hz)
        fs = float(read_header(recording.path).fs_fraction)
        return emitted(beats.at, labels_of(peer, beats, fs))

    return speak
