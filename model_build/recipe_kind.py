"""What a recipe file makes, before anybody reads the whole of it."""

from model_build.recipe_files import recipe_entries, recipe_path


def kind_of(name_or_path: str) -> str:
    """What a recipe makes: the role of a bundle, "" where it is a student or teacher for beats.

    Raises `RecipeError` if there is no such file, or it is no TOML.
    """
    return str(recipe_entries(recipe_path(name_or_path)).get("kind", ""))
