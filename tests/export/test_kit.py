"""Kits for machines without a network, made from a folder of small real wheels: pip and venv are the real ones."""

import hashlib
import os
import subprocess
import sys
from importlib.metadata import Distribution
from pathlib import Path
from zipfile import ZipFile

import pytest
from packaging.markers import default_environment

from export.cli import main
from export.installed import repack
from export.kit import KitOptions, check_kit, download_wheels, make_kit, pinned, platform_tags
from export.requirements import environment_of, missing
from runtime.bundles.bundle import Bundle
from runtime.errors import BundleError, ConfigError
from tests.runtime.small_bundles import only_openvino, pack, write_bundle

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
LINUX = "manylinux_2_28_x86_64"
# Stands for the runtime: says what it is asked, as the real one would.
_PROGRAM = "import sys\ndef main():\n    print('asked:', *sys.argv[1:])\n"


def _wheel(
    folder: Path,
    name: str,
    tag: str = "py3-none-any",
    requires: tuple[str, ...] = (),
    code: str = "",
    version: str = "1.0",
) -> Path:
    """Write a wheel that pip installs."""
    path = folder / f"{name}-{version}-{tag}.whl"
    needs = "".join(f"Requires-Dist: {requirement}\n" for requirement in requires)
    with ZipFile(path, "w") as archive:
        archive.writestr(f"{name}/__init__.py", code)
        info = f"{name}-{version}.dist-info"
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}")
        archive.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n")
        archive.writestr(f"{info}/entry_points.txt", f"[console_scripts]\ngm-classify = {name}:main\n" if code else "")
        archive.writestr(f"{info}/RECORD", "")
    return path


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of wheels for several machines."""
    folder = tmp_path_factory.mktemp("wheels")
    extra = "openvino; extra == 'openvino'\nProvides-Extra: openvino"
    _wheel(folder, "gm_edge", requires=("numpy", "click", extra), code=_PROGRAM)
    for tag in ("manylinux_2_17_x86_64.manylinux2014_x86_64", "manylinux_2_17_aarch64", "win_amd64"):
        _wheel(folder, "numpy", f"cp311-cp311-{tag}")
    _wheel(folder, "numpy", f"cp312-cp312-{LINUX}")
    _wheel(folder, "click", requires=("colorama; platform_system == 'Windows'",))
    for name in ("colorama", "openvino"):
        _wheel(folder, name)
    return folder


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle folder of this test's own."""
    return write_bundle(tmp_path / "a bundle")


def _options(wheels: Path, platform: str = LINUX, python: str = "3.11", extras: tuple[str, ...] = ()) -> KitOptions:
    return KitOptions(platform, python, extras, wheels / "gm_edge-1.0-py3-none-any.whl", wheels)


@pytest.mark.parametrize(
    ("platform", "python", "extras", "expected"),
    [
        (LINUX, "3.11", (), {"click", "gm_edge", "numpy-1.0-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64"}),
        (LINUX, "3.12", (), {"click", "gm_edge", f"numpy-1.0-cp312-cp312-{LINUX}"}),
        ("manylinux_2_17_aarch64", "3.11", (), {"click", "gm_edge", "numpy-1.0-cp311-cp311-manylinux_2_17_aarch64"}),
        ("win_amd64", "3.11", (), {"click", "colorama", "gm_edge", "numpy-1.0-cp311-cp311-win_amd64"}),
        (
            "win_amd64",
            "3.11",
            ("openvino",),
            {"click", "colorama", "gm_edge", "numpy-1.0-cp311-cp311-win_amd64", "openvino"},
        ),
    ],
)
def test_the_wheels_are_those_of_that_machine(
    wheels: Path, tmp_path: Path, platform: str, python: str, extras: tuple[str, ...], expected: set[str]
) -> None:
    download_wheels(tmp_path, _options(wheels, platform, python, extras))
    assert {path.stem.removesuffix("-1.0-py3-none-any") for path in tmp_path.iterdir()} == expected


@pytest.mark.parametrize(
    ("platform", "python", "expected"),
    [
        (LINUX, "3.10", {"backport", "typing_more"}),
        (LINUX, "3.12", {"future"}),
        ("win_amd64", "3.12", {"future", "colours"}),
        ("macosx_11_0_arm64", "3.12", {"future", "metal"}),
    ],
)
def test_conditions_are_those_of_that_machine_whatever_python_makes_the_kit(
    tmp_path: Path, platform: str, python: str, expected: set[str]
) -> None:
    source, found = tmp_path / "source", tmp_path / "found"
    source.mkdir()
    conditions = (
        "backport; python_full_version < '3.11'",
        "future; python_version >= '3.12'",
        "colours; sys_platform == 'win32'",
        "metal; platform_system == 'Darwin' and platform_machine == 'arm64'",
        "never; extra == 'never'",
    )
    _wheel(source, "gm_edge", requires=("engine[fast]; extra == 'openvino'\nProvides-Extra: openvino",))
    _wheel(source, "engine", requires=(*(f"{line} and extra == 'fast'" for line in conditions), "gm_edge[openvino]"))
    _wheel(source, "backport", requires=("typing-more>=1.0; python_version < '3.11'",))
    for name in ("future", "colours", "metal", "typing_more"):
        _wheel(source, name)
    download_wheels(found, _options(source, platform, python, ("openvino",)))
    # What this machine's own Python asks for comes as well, and does no harm.
    names = {path.name.partition("-")[0] for path in found.iterdir()}
    assert {"gm_edge", "engine", *expected} <= names
    assert "never" not in names


def test_a_version_that_only_that_machine_needs_takes_the_place_of_the_newest(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    _wheel(source, "gm_edge", requires=("numpy; python_version != '3.99'", "numpy<2; python_version == '3.99'"))
    for version in ("1.0", "2.0"):
        _wheel(source, "numpy", version=version)
    for python, version in (("3.11", "2.0"), ("3.99", "1.0")):
        download_wheels(tmp_path / python, _options(source, python=python))
        names = {path.name for path in (tmp_path / python).glob("numpy*")}
        assert names == {f"numpy-{version}-py3-none-any.whl"}


def test_what_is_missing_is_told_whatever_the_case_of_names(tmp_path: Path) -> None:
    _wheel(tmp_path, "PyYAML", requires=("Back.Port>=1; python_version < '3.11'",)).rename(
        tmp_path / "pyyaml-1.0-py3-none-any.whl"
    )
    assert missing(tmp_path, "PyYaml", environment_of(LINUX, "3.10")) == {"Back.Port>=1"}
    assert missing(tmp_path, "PyYaml", environment_of(LINUX, "3.11")) == set()


def test_a_requirement_of_that_machine_that_cannot_be_had_is_one_line(tmp_path: Path) -> None:
    there = "'Windows'" if sys.platform != "win32" else "'Linux'"
    _wheel(tmp_path, "gm_edge", requires=(f"colours; platform_system == {there}",))
    platform = "win_amd64" if sys.platform != "win32" else LINUX
    with pytest.raises(ConfigError, match=rf"cannot get the wheels of {platform}, Python 3\.11: .*colours"):
        download_wheels(tmp_path / "found", _options(tmp_path, platform))


@pytest.mark.parametrize(
    ("platform", "system", "machine"),
    [
        (LINUX, "linux", "x86_64"),
        ("manylinux2014_aarch64", "linux", "aarch64"),
        ("musllinux_1_2_armv7l", "linux", "armv7l"),
        ("linux_x86_64", "linux", "x86_64"),
        ("macosx_11_0_arm64", "darwin", "arm64"),
        ("win_amd64", "win32", "AMD64"),
        ("win32", "win32", "x86"),
    ],
)
def test_a_platform_says_which_system_and_processor_it_is(platform: str, system: str, machine: str) -> None:
    found = environment_of(platform, "3.10")
    assert (found["sys_platform"], found["platform_machine"]) == (system, machine)
    assert found.keys() == default_environment().keys()


def test_a_machine_that_no_wheel_is_for_is_one_line(wheels: Path, bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot get the wheels of macosx_11_0_arm64, Python 3\.11: .*numpy"):
        make_kit(bundle, tmp_path / "kit", _options(wheels, "macosx_11_0_arm64"))
    assert not (tmp_path / "kit").exists()


def test_what_pip_says_is_shown_in_whatever_encoding_it_would_say_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "瓦.whl").touch()
    monkeypatch.setenv("PYTHONIOENCODING", "gbk")
    options = KitOptions(LINUX, "3.11", wheel=tmp_path / "瓦.whl", find_links=tmp_path)
    with pytest.raises(ConfigError, match="瓦"):
        download_wheels(tmp_path / "found", options)


def test_manylinux_takes_what_older_systems_take() -> None:
    tags = platform_tags("manylinux_2_17_x86_64")
    assert tags[:3] == ["manylinux_2_17_x86_64", "manylinux2014_x86_64", "manylinux_2_16_x86_64"]
    assert tags[-2:] == ["manylinux_2_5_x86_64", "manylinux1_x86_64"]
    assert platform_tags("win_amd64") == ["win_amd64"]


def test_requirements_pin_every_wheel_by_its_hash(tmp_path: Path) -> None:
    paths = [_wheel(tmp_path, name) for name in ("b", "a")]
    hashes = [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]
    assert pinned(tmp_path) == f"a==1.0 --hash=sha256:{hashes[1]}\nb==1.0 --hash=sha256:{hashes[0]}\n"


@pytest.mark.parametrize("single", ["", "a.gmb", "A.GMB", "a.zip"])
def test_a_kit_holds_the_bundle_as_it_is(wheels: Path, bundle: Path, tmp_path: Path, single: str) -> None:
    given = pack(bundle, tmp_path / single) if single else bundle
    names = make_kit(given, tmp_path / "kit", _options(wheels))
    assert names == sorted(path.name for path in (tmp_path / "kit" / "wheels").iterdir())
    copy = tmp_path / "kit" / ("bundle.gmb" if single else "bundle")
    assert Bundle.open(copy).manifest == Bundle.open(bundle).manifest
    assert {path.name for path in (tmp_path / "kit").iterdir()} == {
        copy.name,
        "README.txt",
        "install.ps1",
        "install.sh",
        "requirements.txt",
        "wheels",
    }
    for script in ("install.sh", "install.ps1"):
        assert copy.name in (tmp_path / "kit" / script).read_text()


def test_a_bundle_for_openvino_alone_brings_openvino(wheels: Path, tmp_path: Path) -> None:
    pytest.importorskip("openvino", reason="the openvino extra is not installed")
    bundle = only_openvino(write_bundle(tmp_path / "bundle", openvino=True))
    assert "openvino-1.0-py3-none-any.whl" in make_kit(bundle, tmp_path / "kit", _options(wheels))


@pytest.fixture
def kit(tmp_path: Path, bundle: Path) -> Path:
    """A kit for this machine, with wheels that run on any."""
    folder = tmp_path / "any"
    folder.mkdir()
    _wheel(folder, "gm_edge", code=_PROGRAM)
    make_kit(bundle, tmp_path / "kit", _options(folder, python=HERE))
    return tmp_path / "kit"


def test_a_wheel_that_was_tampered_with_is_not_installed(kit: Path, tmp_path: Path) -> None:
    script = (kit / "install.sh").read_text()
    install = ["install", "--no-index", "--find-links", "wheels", "--require-hashes"]
    assert " ".join(install[1:]) in script
    command = [sys.executable, "-m", "pip", *install, "--target", str(tmp_path / "there"), "-r", "requirements.txt"]
    assert subprocess.run(command, cwd=kit, capture_output=True, check=False).returncode == 0
    _wheel(kit / "wheels", "gm_edge", code=_PROGRAM + "# and more\n")
    done = subprocess.run(command, cwd=kit, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "DO NOT MATCH THE HASHES" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="runs install.sh")
@pytest.mark.parametrize(
    ("given", "made"), [((), "{folder}/kit/venv"), (("here",), "{folder}/here"), (("/a b",), "/a b")]
)
def test_the_environment_is_made_where_it_is_asked_for(
    kit: Path, tmp_path: Path, given: tuple[str, ...], made: str
) -> None:
    # Stands for Python: says where it is to make the environment, and fails.
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\n[ "$1" = -c ] || { echo "$3"; exit 9; }\n')
    python.chmod(0o755)
    command = ["sh", "kit/install.sh", *given]
    for named in (str(python), "./python"):
        environment = {**os.environ, "PYTHON": named}
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (9, made.format(folder=tmp_path) + "\n")


@pytest.mark.skipif(sys.platform == "win32", reason="runs install.sh")
def test_another_python_is_refused_before_anything_is_made(kit: Path, tmp_path: Path) -> None:
    script = kit / "install.sh"
    script.write_text(script.read_text().replace(f"({HERE.replace('.', ', ')})", "(2, 7)"))
    done = subprocess.run(
        ["sh", str(script)], env={**os.environ, "PYTHON": sys.executable}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "these wheels are for Python" in done.stderr
    assert not (kit / "venv").exists()


def test_what_is_there_is_not_overwritten_and_no_bundle_makes_no_kit(
    wheels: Path, bundle: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="exists; name another folder"):
        make_kit(bundle, tmp_path, _options(wheels))
    with pytest.raises(BundleError):
        make_kit(wheels, tmp_path / "kit", _options(wheels))
    assert not (tmp_path / "kit").exists()


@pytest.mark.parametrize("place", ["kit", "new/kit"])
def test_a_kit_in_the_bundle_is_refused_before_anything_is_made(wheels: Path, bundle: Path, place: str) -> None:
    with pytest.raises(ConfigError, match=r"--out .*kit lies in the bundle, which would no longer be whole; name"):
        make_kit(bundle, bundle / place, _options(wheels))
    assert Bundle.open(bundle).manifest.name == "test"


@pytest.mark.parametrize("python", ["3", "3.11.2", "cp311", "2.7"])
def test_a_python_that_is_no_version_is_refused(python: str) -> None:
    with pytest.raises(ConfigError, match=r"must be a version like 3\.11"):
        KitOptions(LINUX, python)


@pytest.mark.skipif(sys.platform == "win32", reason="runs install.sh")
def test_the_command_makes_a_kit_and_installs_it_from_itself_alone(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    own = _wheel(tmp_path, "gm_edge", code=_PROGRAM)
    arguments = ["kit", bundle, "--platform", LINUX, "--python", HERE, "--out", tmp_path / "kit", "--wheel", own]
    monkeypatch.setattr(sys, "argv", ["gm-export", *map(str, arguments), "--find-links", str(tmp_path), "--check"])
    monkeypatch.setenv("PIP_INDEX_URL", "http://[::1]:9")  # nobody listens there
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{tmp_path / 'kit'}: 1 wheels, ")
    assert lines[-1] == "asked: bundle --selftest"


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """What pip made of a wheel that is gone."""
    (tmp_path / "wheel").mkdir()
    wheel = _wheel(tmp_path / "wheel", "gm_edge", code=_PROGRAM)
    site = tmp_path / "site"
    command = [sys.executable, "-m", "pip", "install", "--no-index", "--target", str(site), str(wheel)]
    subprocess.run(command, capture_output=True, check=True)
    wheel.unlink()
    return site


def test_without_a_checkout_the_wheel_is_made_of_what_is_installed(
    installed: Path, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def own(name: str) -> Distribution:
        return Distribution.at(next(installed.glob(f"{name.replace('-', '_')}-*.dist-info")))

    monkeypatch.setattr("export.kit._ROOT", installed)
    monkeypatch.setattr("export.kit.distribution", own)
    monkeypatch.setattr("export.kit._PACKAGE", "gm_edge")
    options = KitOptions(LINUX, HERE, find_links=installed)
    assert make_kit(bundle, tmp_path / "kit", options) == ["gm_edge-1.0-py3-none-any.whl"]
    done = check_kit(tmp_path / "kit")
    assert done == "asked: bundle --selftest"
    with ZipFile(tmp_path / "kit" / "wheels" / "gm_edge-1.0-py3-none-any.whl") as wheel:
        names, record = wheel.namelist(), wheel.read("gm_edge-1.0.dist-info/RECORD").decode()
    info = ("METADATA", "WHEEL", "entry_points.txt", "RECORD")
    assert set(names) == {"gm_edge/__init__.py", *(f"gm_edge-1.0.dist-info/{name}" for name in info)}
    assert [line.split(",")[0] for line in record.splitlines()] == names


def test_of_an_installation_that_is_a_link_to_a_lost_checkout_no_wheel_is_made(installed: Path, tmp_path: Path) -> None:
    info = next(installed.glob("*.dist-info"))
    with pytest.raises(ConfigError, match=r"the files of gm_edge are not known here; .*: --wheel"):
        repack(Distribution.at(info), "another", tmp_path)


def test_a_check_on_windows_is_refused_before_anything_is_made(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["kit", bundle, "--platform", "win_amd64", "--python", HERE, "--out", tmp_path / "kit", "--check"]
    monkeypatch.setattr(sys, "argv", ["gm-export", *map(str, arguments)])
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2
    assert "leave it out and run the kit's install.ps1" in capsys.readouterr().err
    assert not (tmp_path / "kit").exists()


def test_an_extra_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"--extra opnevino: there is none of that name; there are .*openvino"):
        KitOptions(LINUX, "3.11", ("opnevino",))
