"""A student stays where the terms of its teacher's provider forbid training on the answers, or nobody knows."""

from __future__ import annotations

import yaml

from tests.e2e.test_export_server import KSERVE, one_line, write_project

TERMS = {"provider": "Acme", "url": "https://acme.example/terms", "read_on": "2026-11-01"}


def checked(in_process, folder, **terms):
    """A run with GO whose teacher has these terms."""
    gate = folder / "gate.yaml"
    spec = yaml.safe_load(gate.read_text())
    spec["teacher"] = {"load": "teacher", "terms": TERMS | terms}
    gate.write_text(yaml.safe_dump(spec))
    run = folder / "runs" / "-".join(terms)
    done = in_process("check", gate, "--run", run)
    assert done.exit_code == 0, done.output
    return run


def test_terms_that_forbid_training_or_are_unresolved_block_the_export_until_a_reason_is_stated(in_process, tmp_path):
    write_project(tmp_path, retention=0.95)
    run = checked(in_process, tmp_path, permits_training="no")
    export = (*KSERVE, "--out", tmp_path / "out")
    assert one_line(in_process("export-server", run, *export, "--even-if-not-go")) == (
        "error: the terms of Acme (https://acme.example/terms, read 2026-11-01) do not permit training on its answers; "
        "the student is not exported: settle the terms, or say in gate.yaml why it may be "
        "(teacher.terms.override_reason), and run `evalkit check` again"
    )
    assert not (tmp_path / "out").exists()
    report = (run / "report.html").read_text()
    assert "Terms permit training" in report
    assert "https://acme.example/terms, read 2026-11-01: no" in report
    record = run / "record.json"
    record.write_text(record.read_text().replace('"permits_training": "no"', '"permits_training": "unresolved"'))
    assert "are unresolved on training on its answers" in one_line(in_process("export-server", run, *export))
    run = checked(in_process, tmp_path, permits_training="unresolved", override_reason="counsel agreed")
    done = in_process("export-server", run, *export)
    assert done.exit_code == 0, done.output
    assert "are unresolved on training on its answers, overridden: counsel agreed" in done.stdout
    assert "overridden: counsel agreed" in (run / "report.html").read_text()


def test_terms_that_permit_training_are_said_and_block_nothing(in_process, tmp_path):
    write_project(tmp_path, retention=0.95)
    run = checked(in_process, tmp_path, permits_training=True)  # as YAML reads yes
    done = in_process("export-server", run, *KSERVE, "--out", tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert "read 2026-11-01) permit training on its answers" in done.stdout
