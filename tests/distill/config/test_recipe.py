"""Keys, defaults, overrides, and the messages for what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest
import tomlkit

from distill.config.gate_mixup import GateMixupRecipe, read_gate_mixup
from distill.config.language_model import FinetuneRecipe, LayersRecipe
from distill.config.multi_teacher import MultiTeacherRecipe
from distill.config.pretraining import PretrainRecipe
from distill.config.recipe import SHIPPED_RECIPES, BaseRecipe, Section, read_recipe_of
from distill.config.sections import StudentConfig
from runtime.errors import ConfigError

SHIPPED = SHIPPED_RECIPES / "gate_mixup.toml"
KINDS: list[type[BaseRecipe]] = [GateMixupRecipe, FinetuneRecipe, LayersRecipe, MultiTeacherRecipe, PretrainRecipe]


def test_written_recipe_reads_back_as_the_same(tmp_path: Path) -> None:
    recipe = read_gate_mixup(None, ["training.seed=5", "graph.nodes=['char', 'word']", "data.path=资料.csv"])
    path = tmp_path / "recipe.toml"
    path.write_text(recipe.to_toml(), encoding="utf-8")
    assert read_gate_mixup(path) == recipe


def test_every_key_is_explained() -> None:
    for _, section in GateMixupRecipe():
        for key, field in type(section).model_fields.items():
            assert field.description, key
            assert f"# {field.description}" in GateMixupRecipe().to_toml()


def test_fingerprint_changes_with_any_key_but_where_files_lie() -> None:
    changes: tuple[list[str], ...] = (
        [],
        ["training.seed=1"],
        ["ablate.gate=true"],
        ["data.text_column=x"],
        ["data.path=x"],
    )
    nothing, *prints, moved = (read_gate_mixup(None, overrides).sha256 for overrides in changes)
    assert len({nothing, *prints}) == 4
    assert moved == nothing


def test_overrides_win_over_the_file_and_later_ones_over_earlier(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text("[training]\nseed = 1\nrounds = 3\n", encoding="utf-8")
    training = read_gate_mixup(path, ["training.seed=2", "training.seed=4"]).training
    assert (training.seed, training.rounds) == (4, 3)


def test_value_that_is_no_toml_is_a_string() -> None:
    assert read_gate_mixup(None, ["data.path=C:\\data\\texts.csv"]).data.path == "C:\\data\\texts.csv"
    assert read_gate_mixup(None, ["data.text_column=品名 规格"]).data.text_column == "品名 规格"


def test_blanks_at_the_ends_of_a_bare_string_stay() -> None:
    assert read_recipe_of(FinetuneRecipe, None, ["lm.prefix=query: "]).lm.prefix == "query: "
    assert read_gate_mixup(None, [" training.seed = 7 "]).training.seed == 7


def test_file_of_windows_notepad_with_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_bytes(b"\xef\xbb\xbf[training]\r\nseed = 9\r\n")
    assert read_gate_mixup(path).training.seed == 9


def test_every_key_that_names_files_is_known_as_one() -> None:
    keys = {
        f"{name}.{key}"
        for kind in KINDS
        for name, section in kind()
        if isinstance(section, Section)
        for key in section.file_keys()
    }
    assert keys == {
        "data.path",
        "data.paths",
        "data.unlabelled",
        "lm.folder",
        "lm_layers.teacher",
        "model.start",
        "teacher.lm",
        "teachers.folders",
    }


def test_relative_paths_count_from_the_folder_that_is_told(tmp_path: Path) -> None:
    folders = f"teachers.folders=['lm', '{tmp_path / 'mutual'}']"
    recipe = read_recipe_of(MultiTeacherRecipe, None, ["data.path=texts.csv", folders, "data.unlabelled=['names.txt']"])
    moved = recipe.with_paths_from(tmp_path / "plant", but={"data.unlabelled"})
    assert Path(moved.data.path) == tmp_path / "plant" / "texts.csv"
    assert tuple(map(Path, moved.teachers.folders)) == (tmp_path / "plant" / "lm", tmp_path / "mutual")
    assert moved.data.unlabelled == ("names.txt",)
    assert GateMixupRecipe().with_paths_from(tmp_path) == GateMixupRecipe()


def test_a_path_is_written_one_way_and_a_link_keeps_its_name(tmp_path: Path) -> None:
    (tmp_path / "sets" / "of-may").mkdir(parents=True)
    (tmp_path / "latest").symlink_to(tmp_path / "sets" / "of-may")
    paths = {"latest/texts.csv": "latest/texts.csv", "./sub/../a.csv": "a.csv", "latest/../a.csv": "sets/a.csv"}
    for written, meant in paths.items():
        recipe = GateMixupRecipe.model_validate({"data": {"path": written}})
        assert Path(recipe.with_paths_from(tmp_path).data.path) == tmp_path / meant


@pytest.mark.parametrize("kind", [FinetuneRecipe, LayersRecipe, MultiTeacherRecipe, PretrainRecipe])
def test_unknown_key_names_the_shipped_recipe_of_its_own_method(kind: type[BaseRecipe]) -> None:
    with pytest.raises(ConfigError, match=r"unknown key training\.sead; every key of this method stands in ") as caught:
        read_recipe_of(kind, None, ["training.sead=1"])
    shipped = Path(str(caught.value).split(" stands in ")[1])
    assert read_recipe_of(kind, shipped) == kind()


@pytest.mark.parametrize(
    "content", [b"[training\n", b"\xff\xfe", b"training = 3\n", b"[training]\nseed = 1\nseed = 2\n"]
)
def test_broken_file_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"mine\.toml|training"):
        read_gate_mixup(path)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nothing\.toml"):
        read_gate_mixup(tmp_path / "nothing.toml")


def test_override_of_a_section_that_is_no_table(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("training = 3\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="training"):
        read_gate_mixup(path, ["training.seed=1"])


def test_recipe_cannot_be_changed_by_accident() -> None:
    with pytest.raises(ValueError, match="frozen"):
        StudentConfig().layers = 3  # type: ignore[misc]


def test_document_is_plain_toml() -> None:
    assert tomlkit.parse(GateMixupRecipe().to_toml()).unwrap() == GateMixupRecipe().model_dump(mode="json")
