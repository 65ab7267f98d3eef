"""PDAL, as a program: the one place that runs its pipelines.

Pipelines are PDAL's own JSON documents (`data/pipelines/`, or a user's). A `{name}` in one of their strings is a
parameter that is filled in before PDAL sees it; plain `pdal pipeline` runs the same file with its own overrides.
Documents keep to what PDAL 2.2 and the current release both have.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pyproj import CRS

from gis.crs import name_of
from gis.errors import BadInput, BadParameter, MissingProgram, ProgramFailed, UnreadableFile

TIME_LIMIT = 3600.0
"""Seconds after which a pipeline is ended; a tile takes minutes at most."""

OLDEST = (2, 2)
"""The oldest PDAL the pipelines are written for."""

_PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_PROBLEM = re.compile(r"^\s*PDAL:\s*(.*)$|^\(pdal \w+ (?:Error|error)\)\s*(.*)$")
_BLAME_DOCUMENT = re.compile(
    r"JSON|pipeline:|Unexpected argument|Couldn't create (?:reader|filter|writer) stage|Invalid stage|option|"
    r"Missing value for (?:argument|positional)|Invalid value|Unable to parse|dimension name|coordinate system",
    re.IGNORECASE,
)
_BLAME_INPUT = re.compile(r"^readers\.\w+|Unable to open stream|LASzip|not a valid", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class PdalProgram:
    """Where PDAL is, and the environment it is started in."""

    path: Path
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class PipelineResult:
    """What a pipeline said when it was done."""

    metadata: Mapping[str, Any]
    """PDAL's metadata by stage: `{"readers.las": {…}, "filters.stats": {…}}`; a list where a stage occurs twice."""
    warnings: tuple[str, ...]
    """Lines PDAL wrote besides."""
    seconds: float
    """Wall time."""


def find_pdal(environment: Mapping[str, str] | None = None) -> PdalProgram:
    """Find PDAL: the program DIABA_PDAL names, else one on the PATH, else the set-up's private one.

    Raises:
        MissingProgram: there is none, or DIABA_PDAL names none.
    """
    env = dict(os.environ if environment is None else environment)
    if named := env.get("DIABA_PDAL"):
        found = shutil.which(named, path=env.get("PATH"))
        if found is None:
            raise MissingProgram("pdal", f"DIABA_PDAL names {named}, which is no program")
        return PdalProgram(Path(found), env)
    if found := shutil.which("pdal", path=env.get("PATH")):
        return PdalProgram(Path(found), env)
    for folder in _cache_folders(env):
        private = sorted(folder.glob(f"pdal-*-{platform.machine()}/bin/pdal"))
        if private and os.access(private[-1], os.X_OK):
            return PdalProgram(private[-1], env)
    raise MissingProgram(
        "pdal", "run scripts/pdal.sh in the checkout, or `conda install -c conda-forge pdal`, or name it in DIABA_PDAL"
    )


def _cache_folders(env: Mapping[str, str]) -> list[Path]:
    """Where scripts/common.sh keeps what checkouts share, in its order."""
    if named := env.get("DIABA_CACHE"):
        return [Path(named)]
    if named := env.get("XDG_CACHE_HOME"):
        return [Path(named) / "diaba"]
    homes = [Path(env["HOME"])] if env.get("HOME") else []
    try:
        import pwd

        homes.append(Path(pwd.getpwuid(os.getuid()).pw_dir))
    except (ImportError, KeyError):
        pass
    homes.append(Path(__file__).resolve().parent.parent / ".diaba" / "home")
    return [home / ".cache" / "diaba" for home in homes]


def version(program: PdalProgram | None = None) -> tuple[int, int, int]:
    """PDAL's release, for example (2, 2, 0).

    Raises:
        MissingProgram: there is no PDAL.
        ProgramFailed: it does not start, does not say its version, or is older than 2.2.
    """
    program = program or find_pdal()
    said = _run(program, ["--version"], time_limit=60).stdout
    match = re.search(r"(\d+)\.(\d+)\.(\d+)", said)
    if match is None:
        raise ProgramFailed("pdal", f"{program.path} does not say its version")
    release = (int(match[1]), int(match[2]), int(match[3]))
    if release[:2] < OLDEST:
        raise ProgramFailed("pdal", f"{program.path} is release {match[0]}; 2.2 or later is needed")
    return release


def run_pipeline(
    document: Mapping[str, Any] | Sequence[Any] | Path,
    parameters: Mapping[str, object] | None = None,
    *,
    time_limit: float = TIME_LIMIT,
    program: PdalProgram | None = None,
) -> PipelineResult:
    """Fill the parameters into a pipeline and run it.

    A string that is exactly `{name}` becomes the value with its type; within a longer string it is replaced as text.
    A list of files given for a reader's `filename` becomes a reader for each.

    Raises:
        BadParameter: the document has a `{name}` that was not given, or none of a name that was.
        BadInput: the document is no pipeline, or an input cannot be read.
        ProgramFailed: PDAL ended with another error or took longer than the time limit.
        MissingProgram: there is no PDAL.
    """
    name = str(document) if isinstance(document, Path) else "the pipeline"
    stages = filled(load_pipeline(document) if isinstance(document, Path) else document, parameters or {})
    program = program or find_pdal()
    with tempfile.TemporaryDirectory(prefix="diaba-pdal-") as folder:
        pipeline_file, metadata_file = Path(folder) / "pipeline.json", Path(folder) / "metadata.json"
        pipeline_file.write_text(json.dumps(_exact(stages)), encoding="utf-8")
        started = time.monotonic()
        ended = _run(program, ["pipeline", str(pipeline_file), "--metadata", str(metadata_file)], time_limit)
        seconds = time.monotonic() - started
        lines = tuple(line.strip() for line in ended.stderr.splitlines() if line.strip())
        if ended.returncode != 0:
            raise _failure(ended.returncode, lines, name, stages)
        metadata = _read_metadata(metadata_file)
        _check_whole(stages["pipeline"], metadata)
        return PipelineResult(metadata, lines, seconds)


def load_pipeline(path: Path) -> Mapping[str, Any] | list[Any]:
    """Read a pipeline document.

    Raises:
        UnreadableFile: no file, no JSON, or JSON that is no pipeline.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        why = error.strerror if isinstance(error, OSError) else f"not JSON ({error})"
        raise UnreadableFile(path, str(why)) from error
    if not isinstance(_stages_of(document), list):
        raise UnreadableFile(path, "not a PDAL pipeline: it has no list of stages")
    return document  # type: ignore[no-any-return]


def parameters_of(document: Mapping[str, Any] | Sequence[Any]) -> set[str]:
    """Names of the parameters a document leaves open."""
    return {name for text in _strings(document) for name in _PLACEHOLDER.findall(text)}


def filled(document: Mapping[str, Any] | Sequence[Any], parameters: Mapping[str, object]) -> dict[str, Any]:
    """The document with its parameters filled in, as `{"pipeline": [stages]}`.

    Raises:
        BadParameter: a parameter is missing, unknown, or of a type JSON has not.
        BadInput: the document has no list of stages.
    """
    wanted = parameters_of(document)
    if missing := sorted(wanted - set(parameters)):
        raise BadParameter(missing[0], None, f"the pipeline needs {', '.join(missing)}; give it as {missing[0]}=VALUE")
    if unknown := sorted(set(parameters) - wanted):
        known = ", ".join(sorted(wanted)) or "none"
        raise BadParameter(unknown[0], parameters[unknown[0]], f"the pipeline has no such parameter; it has {known}")
    values = {name: _json_value(name, value) for name, value in parameters.items()}
    stages = _stages_of(_substituted(document, values))
    if not isinstance(stages, list) or not stages:
        raise BadInput("the pipeline has no list of stages")
    return {"pipeline": [one for stage in stages for one in _one_reader_a_file(stage)]}


def _stages_of(document: Any) -> Any:
    return document.get("pipeline") if isinstance(document, Mapping) else document


def _strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [text for item in value.values() for text in _strings(item)]
    if isinstance(value, Sequence):
        return [text for item in value for text in _strings(item)]
    return []


def _substituted(value: Any, parameters: Mapping[str, Any]) -> Any:
    if isinstance(value, str):
        if whole := _PLACEHOLDER.fullmatch(value):
            return parameters[whole[1]]
        return _PLACEHOLDER.sub(lambda match: _as_text(parameters[match[1]]), value)
    if isinstance(value, Mapping):
        return {key: _substituted(item, parameters) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [_substituted(item, parameters) for item in value]
    return value


def _json_value(name: str, value: object) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, CRS):
        return name_of(value)
    if isinstance(value, list | tuple):
        return [_json_value(name, item) for item in value]
    if isinstance(value, float) and not np.isfinite(value):
        raise BadParameter(name, value, "must be a finite number")
    if isinstance(value, str | int | float | bool):
        return value
    raise BadParameter(name, value, "must be text, a number, true or false, or a list of these")


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _one_reader_a_file(stage: Any) -> list[Any]:
    if isinstance(stage, Mapping) and isinstance(stage.get("filename"), list):
        return [{**stage, "filename": filename} for filename in stage["filename"]]
    return [stage]


def _exact(value: Any) -> Any:
    """Numbers PDAL 2.2 would round to six digits, as text, which it reads in full."""
    if isinstance(value, float) and float(f"{value:.6g}") != value:
        return repr(value)
    if isinstance(value, Mapping):
        return {key: _exact(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_exact(item) for item in value]
    return value


def _run(program: PdalProgram, arguments: list[str], time_limit: float) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            [str(program.path), *arguments],
            env=dict(program.environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=time_limit,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ProgramFailed("pdal", f"not done after {time_limit:.0f} s") from error
    except OSError as error:
        raise MissingProgram("pdal", f"{program.path} does not start ({error.strerror})") from error


def _failure(code: int, lines: Sequence[str], name: str, stages: Mapping[str, Any]) -> BadInput | ProgramFailed:
    """The error for what PDAL wrote last: the caller's document, the caller's input, or PDAL itself."""
    if code < 0 or code >= 128:
        return ProgramFailed("pdal", f"ended by signal {-code if code < 0 else code - 128} in {name}")
    problems = [text.strip() for line in lines if (m := _PROBLEM.match(line)) for text in m.groups() if text]
    why = problems[-1] if problems else (lines[-1] if lines else f"exit code {code}, nothing said")
    if _BLAME_DOCUMENT.search(why):
        return BadInput(f"{name}: not a pipeline PDAL can run ({why})")
    if _BLAME_INPUT.search(why):
        named = [f for s in stages["pipeline"] if isinstance(s, Mapping) and isinstance(f := s.get("filename"), str)]
        inputs = [file for file in named if file in why] or named[:1]
        return UnreadableFile(inputs[0], f"PDAL cannot read it ({why})") if inputs else BadInput(f"{name}: {why}")
    return ProgramFailed("pdal", why)


def _check_whole(stages: Sequence[Any], metadata: Mapping[str, Any]) -> None:
    """PDAL reads an uncompressed file that is cut off without a word; its size tells."""
    readers = [stage for stage in stages if isinstance(stage, Mapping) and stage.get("type") == "readers.las"]
    said = metadata.get("readers.las", [])
    for stage, header in zip(readers, said if isinstance(said, list) else [said], strict=False):
        path = Path(str(stage.get("filename")))
        if header.get("compressed") or not path.is_file():
            continue
        if path.stat().st_size < header["dataoffset"] + header["count"] * header["point_length"]:
            raise UnreadableFile(
                path, f"it is cut off: too short for the {header['count']} points its header announces"
            )


def _read_metadata(path: Path) -> Mapping[str, Any]:
    try:
        stages = json.loads(path.read_text(encoding="utf-8", errors="replace"))["stages"]
    except (OSError, json.JSONDecodeError, KeyError) as error:
        raise ProgramFailed("pdal", "it wrote no metadata") from error
    return stages  # type: ignore[no-any-return]
