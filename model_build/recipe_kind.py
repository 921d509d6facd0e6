"""What a recipe file makes, before anybody reads the whole of it."""

import tomllib

from model_build.errors import RecipeError
from model_build.recipe_files import recipe_path


def kind_of(name_or_path: str) -> str:
    """What a recipe makes: the role of a bundle, "" where it is a student or teacher for beats.

    Raises `RecipeError` if there is no such file, or it is no TOML.
    """
    path = recipe_path(name_or_path)
    try:
        return str(tomllib.loads(path.read_text("utf-8")).get("kind", ""))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: {error}") from error
