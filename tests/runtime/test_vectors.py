"""The test vectors for other languages are what this package does; and the C++ example passes them."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from runtime.tokenizer import CharTokenizer
from tests.runtime.small_bundles import TEXTS, tokenizer
from tests.runtime.vectors import PATH, make_vectors

EXAMPLE = Path(__file__).parents[2] / "examples" / "cpp"


@pytest.fixture(scope="module")
def tokenize(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compile the example."""
    if not shutil.which("g++"):
        pytest.skip("there is no g++")
    includes = ["-x", "c++", "-E", "-", "-include", "unicode/normalizer2.h"]
    if subprocess.run(["g++", *includes], input=b"", capture_output=True, check=False).returncode:
        pytest.skip("ICU is not installed: apt install libicu-dev")
    program = tmp_path_factory.mktemp("cpp") / "tokenize"
    warnings = ["-Wall", "-Wextra", "-Werror"]
    command = ["g++", "-std=c++17", *warnings, str(EXAMPLE / "tokenize.cpp"), "-o", str(program), "-licuuc"]
    subprocess.run(command, check=True, timeout=200)
    return program


def _run(program: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([program, *arguments], capture_output=True, text=True, encoding="utf-8", check=False)


def _ids(printed: str) -> list[list[int]]:
    return [[int(number) for number in line.split("(")[0].split()] for line in printed.splitlines()]


def test_the_vectors_are_what_this_package_does() -> None:
    assert PATH.read_text(encoding="utf-8") == make_vectors(), "run: python -m tests.runtime.vectors"


def test_the_example_passes_the_vectors(tokenize: Path) -> None:
    done = _run(tokenize, "--vectors", PATH)
    count = len(json.loads(PATH.read_bytes())["vectors"])
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{count} of {count} vectors pass\n", "")


def test_the_example_notices_a_vector_that_differs(tokenize: Path, tmp_path: Path) -> None:
    stored = json.loads(PATH.read_bytes())
    stored["vectors"] = stored["vectors"][:5]
    stored["vectors"][3]["ids"][0] += 1
    (tmp_path / "wrong.json").write_text(json.dumps(stored))
    done = _run(tokenize, "--vectors", tmp_path / "wrong.json")
    assert (done.returncode, done.stdout, done.stderr) == (1, "4 of 5 vectors pass\n", "vector 3 differs\n")


def test_the_example_reads_the_tokeniser_of_a_bundle(tokenize: Path, bundle: Path) -> None:
    done = _run(tokenize, bundle / "tokenizer.json", *TEXTS)
    assert _ids(done.stdout) == [tokenizer().encode(text).ids.tolist() for text in TEXTS]


def test_the_example_reads_aliases_as_this_package_writes_them(tokenize: Path, tmp_path: Path) -> None:
    marks = CharTokenizer("酸()", 8, {"【": "(", "】": ")"})
    marks.save(tmp_path / "tokenizer.json")
    done = _run(tokenize, tmp_path / "tokenizer.json", "酸【】〔")
    assert _ids(done.stdout) == [[2, 3, 4, 1]] == [marks.encode("酸【】〔").ids.tolist()]


def test_the_example_reads_a_tokeniser_without_aliases(tokenize: Path, tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text('{"kind": "chars", "max_len": 3, "characters": "ab"}')
    assert _ids(_run(tokenize, tmp_path / "tokenizer.json", "ba?").stdout) == [[3, 2, 1]]


@pytest.mark.parametrize(
    "aliases", ['{"a": "b"}', '{"?": "!"}', '{"??": "a"}', '{"": "a"}', '{"😀": "a"}', '["?"]', "null"]
)
def test_the_example_refuses_impossible_aliases(tokenize: Path, tmp_path: Path, aliases: str) -> None:
    content = f'{{"kind": "chars", "max_len": 3, "characters": "ab", "aliases": {aliases}}}'
    (tmp_path / "tokenizer.json").write_text(content, encoding="utf-8")
    done = _run(tokenize, tmp_path / "tokenizer.json", "x")
    assert done.returncode == 1
    assert "alias" in done.stderr


@pytest.mark.parametrize(
    "content", ["", "{", '{"kind": "words", "max_len": 3, "characters": ""}', '["a", tru]', "[" * 1000]
)
def test_the_example_refuses_a_broken_tokeniser(tokenize: Path, tmp_path: Path, content: str) -> None:
    (tmp_path / "tokenizer.json").write_text(content)
    done = _run(tokenize, tmp_path / "tokenizer.json", "x")
    assert done.returncode == 1
    assert done.stderr.startswith("tokenize: ")
