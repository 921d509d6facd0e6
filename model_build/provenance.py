"""What a recipe's model is made from: the archives that must be credited wherever it goes."""

from model_build.recipe import Recipe, View


def archives(recipe: Recipe) -> tuple[str, ...]:
    """Names of the archives (`datasets.catalogue`) that train, pre-train or lend their noise."""
    names = dict.fromkeys(recipe.data.sources)
    if any(map(_has_real_noise, recipe.view)):
        names["nstdb"] = None
    if recipe.pretrain is not None:
        names |= dict.fromkeys((*recipe.pretrain.delineated, *recipe.pretrain.masked))
    if recipe.p_wave.weight:
        names["mitdb-pwave"] = None
    return tuple(names)


def _has_real_noise(view: View) -> bool:
    mixed = bool(view.noise_snr_db) and set(view.noise_kind) != {"gaussian"}
    return mixed or bool(view.companion_snr_db)
