"""Weights from URLs, by way of a folder."""

import hashlib

import pytest

import mlx

pytestmark = pytest.mark.cpu  # about files


@pytest.fixture
def source(tmp_path, monkeypatch):
    monkeypatch.setenv("MLX_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(mlx.hub, "_dir", None)
    path = tmp_path / "weights.pth"
    mlx.save({"w": mlx.arange(3)}, path)
    return path


def named_by_hash(path, digits):
    return path.rename(path.with_name(f"net-{digits}.pth"))


def test_a_file_is_downloaded_once(source, capsys):
    url = source.as_uri()
    assert mlx.hub.load_state_dict_from_url(url)["w"].tolist() == [0, 1, 2]
    assert "Downloading" in capsys.readouterr().err
    source.unlink()
    assert mlx.utils.model_zoo.load_url(url)["w"].tolist() == [0, 1, 2]
    assert capsys.readouterr().err == ""


def test_where_files_are_kept(source, tmp_path, monkeypatch):
    mlx.hub.load_state_dict_from_url(source.as_uri(), progress=False)
    assert (tmp_path / "home/hub/checkpoints/weights.pth").exists()
    mlx.hub.load_state_dict_from_url(
        source.as_uri(), str(tmp_path / "own"), file_name="a.pth", progress=False
    )
    assert [p.name for p in (tmp_path / "own").iterdir()] == ["a.pth"]
    mlx.hub.set_dir(tmp_path / "third")
    assert mlx.hub.get_dir() == str(tmp_path / "third")


def test_the_hash_in_a_name_is_checked(source, tmp_path):
    digits = hashlib.sha256(source.read_bytes()).hexdigest()[:8]
    good = named_by_hash(source, digits)
    load = lambda path, name=None: mlx.hub.load_state_dict_from_url(
        path.as_uri(), str(tmp_path / "kept"), check_hash=True, file_name=name, progress=False
    )
    assert load(good)["w"].tolist() == [0, 1, 2]
    with pytest.raises(RuntimeError, match="invalid hash"):
        load(good, f"net-{'0' * 8}.pth")
    assert [p.name for p in (tmp_path / "kept").iterdir()] == [good.name]


def test_a_failed_download_leaves_nothing(tmp_path):
    with pytest.raises(OSError):
        mlx.hub.download_url_to_file((tmp_path / "none").as_uri(), str(tmp_path / "to"), progress=False)
    assert list(tmp_path.iterdir()) == []
