"""The command refuses what it cannot write."""

from yt8m.data.synthetic.__main__ import main


def test_command_refuses_what_cannot_be(tmp_path, capsys):
    assert main(["--out_dir", str(tmp_path), "--from_video_level", str(tmp_path / "none*")]) == 2
    assert "error: --from_video_level=" in capsys.readouterr().err
    assert main(["--out_dir", str(tmp_path), "--from_video_level", "x", "--segment_labels"]) == 2
    assert (
        "error: --segment_labels: frames around real means have no scenes"
        in capsys.readouterr().err
    )
