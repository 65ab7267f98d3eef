"""Recipes are read with their types checked; a bad one is named with what is wrong."""

from pathlib import Path

import pytest

from gis.errors import BadInput, NotFound, UnreadableFile
from gis.resources import resource
from lidar.scene.recipe import read_recipe, recipe_names

ALLEY = resource("scenes", "alley.toml").read_text(encoding="utf-8")


def test_the_recipes_that_come_along_are_valid() -> None:
    assert recipe_names() == ["alley", "district", "ward"]
    for name in recipe_names():
        assert read_recipe(name).name == name


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ("size_m = 200", "size_m = 210", "tile"),
        ("size_m = 200", 'size_m = "wide"', "size_m"),
        ("size_m = 200", "size_m = nan", "size_m"),
        ("undulation_m = 0.12", "undulation_m = -1", "undulation_m"),
        ("undulation_m = 0.12", "", "undulation_m"),
        ("undulation_m = 0.12", "undulation_m = 0.12\nhills = 3", "hills"),
        ("ladder_reserve_m = [7, 5, 4, 3]", "ladder_reserve_m = [7]", "ladder_reserve_m"),
        ("half_angle_deg = 25", "half_angle_deg = 85", "half_angle_deg"),
        ('kind = "market"', 'kind = "castle"', "castle"),
        ("[extent]", "[extent", "recipe"),
    ],
)
def test_a_bad_recipe_is_refused_with_its_reason(tmp_path: Path, old: str, new: str, word: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(ALLEY.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(UnreadableFile, match=word) as caught:
        read_recipe(str(path))
    assert isinstance(caught.value, BadInput)
    assert "\n" not in str(caught.value)


def test_an_unknown_recipe_is_not_found_and_the_known_are_named() -> None:
    with pytest.raises(NotFound, match="alley, district, ward"):
        read_recipe("village")
