"""Unusual but valid scans are read, and to the same head."""

import numpy as np
from bad_input import as_parameters, command
from scan_bytes import AFFINE, head, patched, scan, written
from unusual_scans import UNUSUAL

from medvae.volume import read_volume


@as_parameters(UNUSUAL)
def test_an_unusual_scan_holds_the_same_head(row, tmp_path):
    row.make(tmp_path)
    volume = read_volume(tmp_path / row.file)
    assert volume.data.dtype == np.float32
    assert np.allclose(volume.data / np.float32(row.gain), head(), rtol=1e-6)
    assert np.allclose(volume.spacing_mm, 8.0, atol=1e-4)


@as_parameters([row for row in UNUSUAL if not row.name.startswith("axes-")])
def test_an_unusual_scan_passes_as_a_cohort_s(row, tmp_path, monkeypatch, capsys):
    row.make(tmp_path)
    table = tmp_path / "scans.csv"
    quoted = row.file.replace('"', '""')
    table.write_text(f'path,subject,site\n"{quoted}",1,A\n', encoding="utf-8")
    assert command(monkeypatch, ["cohort", table]) == 0, capsys.readouterr().err


def test_a_scan_without_orientation_is_read_with_a_warning(
    tmp_path, monkeypatch, capsys
):
    written(patched(sform_code=0, qform_code=0), "A/a_T1w.nii")(tmp_path)
    assert command(monkeypatch, ["cohort", tmp_path]) == 0
    assert "left and right are a guess" in capsys.readouterr().err


def test_the_same_head_is_no_empty_claim(tmp_path):
    moved = head()
    moved[10, 10, 10] += 1
    path = tmp_path / "a.nii"
    path.write_bytes(scan(moved, AFFINE))
    assert not np.allclose(read_volume(path).data, head(), rtol=1e-6)
