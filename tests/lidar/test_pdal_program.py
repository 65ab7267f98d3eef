"""Finding PDAL and its release."""

from __future__ import annotations

from pathlib import Path

import pytest

from gis.errors import MissingProgram, ProgramFailed
from lidar.pdal_program import PdalProgram, find_pdal, version

pytestmark = pytest.mark.usefixtures("pdal")


def test_it_is_a_release_the_pipelines_are_written_for() -> None:
    assert version() >= (2, 2, 0)


def test_a_program_named_but_absent_is_said() -> None:
    with pytest.raises(MissingProgram, match="DIABA_PDAL names /nowhere/pdal"):
        find_pdal({"DIABA_PDAL": "/nowhere/pdal", "PATH": "/usr/bin"})


def test_the_program_on_the_path_comes_before_the_private_one(tmp_path: Path) -> None:
    program = tmp_path / "pdal"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert find_pdal({"PATH": str(tmp_path)}).path == program


def test_without_any_program_the_way_to_get_it_is_said(tmp_path: Path) -> None:
    with pytest.raises(MissingProgram, match=r"scripts/pdal\.sh"):
        find_pdal({"PATH": str(tmp_path), "DIABA_CACHE": str(tmp_path)})


def test_a_release_too_old_is_refused(tmp_path: Path) -> None:
    program = tmp_path / "pdal"
    program.write_text("#!/bin/sh\necho 'pdal 1.8.0 (git-version: Release)'\n")
    program.chmod(0o755)
    with pytest.raises(ProgramFailed, match=r"release 1\.8\.0; 2\.2 or later"):
        version(PdalProgram(program, {}))
