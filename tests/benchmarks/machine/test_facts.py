"""Facts about the machine."""

from __future__ import annotations

import json
import os
from pathlib import Path

from benchmarks.machine.facts import affinity, cpu_flags, cpu_model, machine_facts, versions

X86 = "processor\t: 0\nmodel name\t: Intel(R) Xeon(R)\nflags\t: fpu avx2 avx512_vnni\n\nprocessor\t: 1\nflags\t: fpu\n"
ARM = "processor\t: 0\nFeatures\t: fp asimd asimddp\n"


def test_name_and_flags_of_the_first_cpu(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(X86, encoding="utf-8")
    assert cpu_model(cpuinfo) == "Intel(R) Xeon(R)"
    assert cpu_flags(cpuinfo) == {"fpu", "avx2", "avx512_vnni"}


def test_arm_calls_its_flags_features(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(ARM, encoding="utf-8")
    assert "asimddp" in cpu_flags(cpuinfo)


def test_a_system_without_cpuinfo_still_has_a_name(tmp_path: Path) -> None:
    assert cpu_model(tmp_path / "none")
    assert cpu_flags(tmp_path / "none") == frozenset()


def test_facts_are_json_and_say_what_matters() -> None:
    facts = json.loads(json.dumps(machine_facts()))
    assert facts["affinity"] == affinity()
    assert 1 <= len(facts["affinity"]) <= (os.cpu_count() or 1)
    assert facts["threads"]["OMP_NUM_THREADS"] == "1"
    assert {"numpy", "onnxruntime"} <= set(facts["versions"])


def test_versions_leave_out_what_is_not_installed() -> None:
    assert set(versions(["numpy", "no-such-distribution-anywhere"])) == {"numpy"}
