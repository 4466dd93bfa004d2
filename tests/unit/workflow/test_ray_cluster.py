"""`executor: ray` where Ray is not installed."""

from __future__ import annotations

import importlib.util

import pytest

from evalkit.errors import SpecError
from evalkit.spec.executor import RayCluster
from evalkit.workflow.spreading import ray_cluster


def test_ray_that_is_not_installed_is_named_with_what_to_install(monkeypatch):
    monkeypatch.setattr(
        ray_cluster, "find_spec", lambda name: None if name == "ray" else importlib.util.find_spec(name)
    )
    ray_cluster.refuse_missing_ray(None)
    with pytest.raises(SpecError, match=r"Ray is not installed; run: pip install 'evalkit-gate\[ray\]'") as refused:
        ray_cluster.refuse_missing_ray(RayCluster())
    assert refused.value.exit_code == 2


def test_a_node_with_another_version_of_what_computes_is_refused_by_name(monkeypatch):
    expected = ray_cluster.computing_packages()
    ray_cluster.refuse_other_packages(expected)
    with pytest.raises(ray_cluster.StageError, match=r"has numpy .*, this machine 0\.1; install the same versions"):
        ray_cluster.refuse_other_packages({**expected, "numpy": "0.1"})
    with pytest.raises(ray_cluster.StageError, match=r"has torch-like \(not installed\), this machine 1"):
        ray_cluster.refuse_other_packages({"torch-like": "1"})
