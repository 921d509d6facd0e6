"""What can go wrong while building a model, sorted by what the caller can do about it.

BuildError
├── DataError      an archive is absent, damaged or cannot be fetched: name its folder
├── JobError       jobs failed: their logs say why
├── QuantizeError  the converter refused the model: its own words are in the message
├── ExportError    what was to be exported contradicts itself; nothing was written
├── KeyFileError   a signing key is absent, cannot be opened, or is no key of this repository
├── ReleaseError   a repository is absent, or what is to be published contradicts it
├── RecipeError    a recipe asks for something that does not exist: correct the recipe
└── StoppedError   time was up, or somebody asked to stop: call again, it goes on from there
"""


class BuildError(Exception):
    """Root of every error this package raises. The message says what to do."""


class DataError(BuildError):
    """An archive is absent, damaged, or could not be downloaded."""


class RecipeError(BuildError):
    """A recipe has an unknown key, a wrong value, or asks for what the protocol forbids."""


class QuantizeError(BuildError):
    """The converter failed, or there was nothing to measure ranges on."""


class ExportError(BuildError):
    """A bundle set's parts do not fit together; nothing was written."""


class KeyFileError(BuildError):
    """A signing key is not at hand, cannot be opened, or must not be used."""


class ReleaseError(BuildError):
    """A repository is not there, or does not take what was to be published."""


class StoppedError(BuildError):
    """Work ended before it was done, with everything so far saved."""


class JobError(BuildError):
    """Jobs failed, or ask for one another in a circle."""
