"""Which models run, as the API says it."""

from edge_runtime.update.keeper import ModelKeeper
from edge_runtime.web.shapes import ModelStatus


def model_status(models: ModelKeeper | None) -> ModelStatus | None:
    """None: the daemon judges nothing now."""
    if models is None:
        return None
    chosen = models.chosen
    return ModelStatus(
        name=chosen.bundles.name,
        version=chosen.bundles.version,
        fingerprint=chosen.bundles.fingerprint,
        origin=chosen.origin,
        on_trial=models.on_trial,
    )
