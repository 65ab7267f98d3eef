"""The project as a whole: its lists of packages agree, its files say nothing of one machine, its rules hold."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from api.cli.main import diaba

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
REQUIREMENTS = [
    Requirement(text)
    for texts in [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    for text in texts
]

CONDA_NAMES = {
    "brotli": "brotli-python",
    "dask": "dask-core",
    "isal": "python-isal",
    "lazrs": "lazrs-python",
    "prometheus-client": "prometheus_client",
}
"""Packages conda-forge has under another name."""

NOT_ON_CONDA = {"cjio", "manifold3d", "pmtiles", "schemathesis", "stac-api-validator", "startinpy", "types-shapely"}
"""Packages conda-forge does not have: environment.yml takes them by pip."""

PROGRAMS = {"python", "pip", "curl", "jq", "nodejs", "pdal", "postgis", "postgresql", "python-pdal"}
"""What environment.yml has besides: what the set-up otherwise takes from the system."""

LONGEST_FILE = 450
"""Lines of a source file; longer ones hold more than one concept."""

MACHINE_PATH = re.compile(r"(?<![\w.>})\]-])/(?:work|root|home/[a-z]+|Users/\w+)/")
REGISTRY_HOST = re.compile(
    r"(?:deb|snapshot)\.debian\.org|pypi\.org|pythonhosted\.org|registry\.npmjs|index-url", re.IGNORECASE
)


def tracked_files() -> list[Path]:
    """What git keeps, without what is deleted in the working tree."""
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def commands(group: click.Group, context: click.Context) -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, with the words that call it."""
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        inner = click.Context(command, parent=context, info_name=name)
        if isinstance(command, click.Group):
            yield from commands(command, inner)
        else:
            yield inner.command_path, command


def locked() -> dict[str, set[str]]:
    """Name → versions of requirements.lock; there are several where platforms or Pythons need different ones."""
    versions: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([a-z0-9.-]+)(?:\[[a-z,]+\])?==(\S+)", lock_text(), flags=re.MULTILINE):
        versions.setdefault(canonicalize_name(name), set()).add(version)
    return versions


def lock_text() -> str:
    return (ROOT / "requirements.lock").read_text(encoding="utf-8")


def test_the_lock_meets_every_requirement() -> None:
    versions = locked()
    for requirement in REQUIREMENTS:
        name = canonicalize_name(requirement.name)
        assert name in versions, f"{name} is not in requirements.lock: run `make lock`"
        assert all(requirement.specifier.contains(version) for version in versions[name]), f"{name} {versions[name]}"


def test_the_lock_has_what_builds_the_project() -> None:
    build = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["build-system"]["requires"]
    for requirement in map(Requirement, build):
        assert all(requirement.specifier.contains(version) for version in locked()[requirement.name])


def test_every_locked_package_has_a_hash() -> None:
    entries = re.split(r"^(?=[a-z0-9])", lock_text(), flags=re.MULTILINE)[1:]
    assert len(entries) == sum(len(versions) for versions in locked().values())
    assert all("--hash=sha256:" in entry for entry in entries)


def test_the_browser_lock_has_hashes_and_no_addresses() -> None:
    packages = json.loads((ROOT / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    wanted = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))
    assert packages[""]["dependencies"] == wanted["dependencies"]
    assert packages[""]["devDependencies"] == wanted["devDependencies"]
    for name, entry in packages.items():
        assert "resolved" not in entry, name
        assert not name or entry["integrity"].startswith("sha512-"), name


def test_conda_is_given_the_same_packages_and_bounds() -> None:
    listed = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    by_pip = {Requirement(text) for entry in listed if isinstance(entry, dict) for text in entry["pip"]}
    by_conda = {Requirement(text) for text in listed if isinstance(text, str)} - {
        Requirement(text) for text in listed if isinstance(text, str) and Requirement(text).name in PROGRAMS
    }
    expected = {CONDA_NAMES.get(r.name, r.name): r.specifier for r in REQUIREMENTS}
    assert {r.name: r.specifier for r in by_conda | by_pip} == expected
    assert {r.name for r in by_pip} == NOT_ON_CONDA


def test_files_name_no_machine_and_no_registry() -> None:
    found = []
    for path in tracked_files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        if path != Path(__file__):
            found += [
                f"{path.relative_to(ROOT)}: {m.group()}"
                for p in (MACHINE_PATH, REGISTRY_HOST)
                for m in p.finditer(text)
            ]
    assert not found


def test_no_source_file_is_too_long() -> None:
    sources = [p for p in tracked_files() if p.suffix in (".py", ".sh") and "tests" not in p.relative_to(ROOT).parts]
    lengths = {str(p.relative_to(ROOT)): len(p.read_text(encoding="utf-8").splitlines()) for p in sources}
    assert {name: n for name, n in lengths.items() if n >= LONGEST_FILE} == {}


def test_every_command_has_an_example_of_itself_in_its_help() -> None:
    context = click.Context(diaba, info_name="diaba")
    wanting = []
    for path, command in commands(diaba, context):
        shown = command.get_help(click.Context(command, info_name=path))
        if not re.search(rf"Examples?:.*^\s+{re.escape(path)}\b", shown, flags=re.MULTILINE | re.DOTALL):
            wanting.append(path)
    assert not wanting


def test_imports_run_one_way() -> None:
    program = Path(sys.executable).with_name("lint-imports")
    linted = subprocess.run([program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert linted.returncode == 0, linted.stdout
    assert "Contracts: 2 kept, 0 broken." in linted.stdout


def test_make_help_lists_every_target() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    internal = {"checks"}
    targets = set(re.findall(r"^\.PHONY: (\w+)", makefile, flags=re.MULTILINE)) - internal
    assert targets == set(re.findall(r"^\s+make (\w+)", shown, flags=re.MULTILINE))


@pytest.mark.parametrize(
    "script", [*sorted((ROOT / "scripts").glob("*.sh")), ROOT / ".ci" / "run"], ids=lambda p: p.name
)
def test_scripts_are_sound_bash(script: Path) -> None:
    assert subprocess.run(["bash", "-n", script], check=False).returncode == 0


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Names of the files in a wheel built from the checkout, offline."""
    folder = tmp_path_factory.mktemp("wheel")
    built = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    (path,) = folder.glob("diaba-*.whl")
    with zipfile.ZipFile(path) as archive:
        return set(archive.namelist())


def test_the_wheel_holds_all_of_the_packages_and_of_the_data(wheel: set[str]) -> None:
    names = {path.relative_to(ROOT).as_posix() for path in tracked_files()}
    packages = {name for name in names if name.split("/")[0] in ("gis", "lidar", "api")}
    data = {f"gis/_data/{name.removeprefix('data/')}" for name in names if name.startswith("data/")}
    assert data
    assert packages | data <= wheel


def test_the_wheel_holds_nothing_else(wheel: set[str]) -> None:
    assert {name.split("/")[0] for name in wheel} == {"gis", "lidar", "api", f"diaba-{PROJECT['version']}.dist-info"}


def test_the_wheel_carries_the_licence(wheel: set[str]) -> None:
    assert f"diaba-{PROJECT['version']}.dist-info/licenses/LICENSE" in wheel


def test_no_library_of_the_tests_changes_how_json_writes_numbers() -> None:
    import json

    import cjio.cityjson  # noqa: F401  it did

    assert json.dumps(0.1 + 0.2) == "0.30000000000000004"
