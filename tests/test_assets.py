import errno
import hashlib
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from imtrans import assets

GOOD = b"the right bytes"
GOOD_SHA256 = hashlib.sha256(GOOD).hexdigest()


@pytest.fixture
def server():
    """A web server on this machine: /good and /wrong answer, all else is 404; ``asked`` lists the paths."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.asked.append(self.path)
            body = {"/good": GOOD, "/wrong": b"other bytes"}.get(self.path)
            self.send_response(200 if body else 404)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.asked = []
        running.url = f"http://127.0.0.1:{running.server_port}"
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def test_data_root_is_absolute_or_none(monkeypatch, tmp_path):
    monkeypatch.delenv("IMTRANS_DATA", raising=False)
    assert assets.data_root() is None
    (tmp_path / "sets").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IMTRANS_DATA", "sets")
    assert assets.data_root() == tmp_path / "sets"


def test_data_root_says_what_is_wrong(monkeypatch, tmp_path):
    monkeypatch.setenv("IMTRANS_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(ValueError, match=r"IMTRANS_DATA.*nowhere") as caught:
        assets.data_root()
    assert "\n" not in str(caught.value)


def test_runs_dir(monkeypatch, tmp_path):
    monkeypatch.delenv("IMTRANS_RUNS", raising=False)
    assert assets.runs_dir() == assets.cache_dir() / "runs"
    monkeypatch.setenv("IMTRANS_RUNS", str(tmp_path))
    assert assets.runs_dir() == tmp_path


@given(st.binary(max_size=2000))
def test_sha256_file_against_hashlib(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "content"
    path.write_bytes(content)
    assert assets.sha256_file(path) == hashlib.sha256(content).hexdigest()


def test_sha256_pixels_sees_levels_and_shape_but_not_memory_layout():
    levels = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    digest = assets.sha256_pixels(levels)
    assert digest == hashlib.sha256(b"(2, 3, 4)" + bytes(range(24))).hexdigest()
    assert digest == assets.sha256_pixels(np.asfortranarray(levels))
    assert digest != assets.sha256_pixels(levels.reshape(2, 4, 3))
    other = levels.copy()
    other[1, 2, 3] += 1
    assert digest != assets.sha256_pixels(other)
    with pytest.raises(ValueError, match="float64"):
        assets.sha256_pixels(levels / 255)


def test_fetch_takes_the_mirrors_in_turn(server, tmp_path):
    urls = [f"{server.url}/{name}" for name in ("absent", "wrong", "good", "never-asked")]
    path = assets.fetch(urls, tmp_path / "new" / "file", GOOD_SHA256, progress=False)
    assert path.read_bytes() == GOOD
    assert server.asked == ["/absent", "/wrong", "/good"]
    assert [p.name for p in path.parent.iterdir()] == ["file"]


def test_fetch_leaves_a_right_file_and_replaces_a_wrong_one(server, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(GOOD)
    assets.fetch([f"{server.url}/good"], path, GOOD_SHA256, progress=False)
    assert server.asked == []
    path.write_bytes(b"damaged")
    assets.fetch([f"{server.url}/good"], path, progress=False)
    assert path.read_bytes() == b"damaged"  # no digest: what is there counts
    assets.fetch([f"{server.url}/good"], path, GOOD_SHA256, progress=False)
    assert path.read_bytes() == GOOD


def test_fetch_that_fails_names_the_mirrors_and_the_folder(server, tmp_path):
    path = tmp_path / "file"
    urls = [f"{server.url}/absent", f"{server.url}/wrong", "http://127.0.0.1:9/refused"]
    with pytest.raises(FileNotFoundError) as caught:
        assets.fetch(urls, path, GOOD_SHA256, progress=False)
    sentence = str(caught.value)
    assert "HTTP 404" in sentence
    assert "sha256" in sentence
    assert "127.0.0.1:9: ConnectionError" in sentence
    assert str(tmp_path) in sentence
    assert "\n" not in sentence
    assert list(tmp_path.iterdir()) == []


def test_a_failed_fetch_keeps_the_old_file(server, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(FileNotFoundError):
        assets.fetch([f"{server.url}/wrong"], path, GOOD_SHA256, progress=False)
    assert path.read_bytes() == b"old"


def test_a_full_disk_is_not_reported_as_a_dead_network(server, tmp_path, monkeypatch):
    def full(source, target):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(assets.os, "replace", full)
    with pytest.raises(OSError, match="No space left on device") as caught:
        assets.fetch([f"{server.url}/good"], tmp_path / "file", progress=False)
    assert caught.value.errno == errno.ENOSPC


def test_fetch_shows_a_bar(server, tmp_path, capfd):
    assets.fetch([f"{server.url}/good"], tmp_path / "file")
    assert "100%" in capfd.readouterr().err


def test_write_whole_writes_and_replaces(tmp_path):
    for content in (b"first", b"the second, which is longer", b""):
        assets.write_whole(str(tmp_path / "file"), content)
        assert (tmp_path / "file").read_bytes() == content
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_replacing_keeps_the_old_file_until_all_is_written(tmp_path):
    file = tmp_path / "file"
    file.write_bytes(b"old")
    with assets.replacing(file) as temporary:
        temporary.write_bytes(b"new")
        assert temporary.parent == tmp_path
        assert temporary.name.startswith(".")  # hidden from `images.list_pictures` and the like
        assert file.read_bytes() == b"old"
    assert file.read_bytes() == b"new"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_replacing_keeps_the_old_file_when_interrupted(tmp_path):
    file = tmp_path / "file"
    file.write_bytes(b"old")

    def stopped_halfway():
        with assets.replacing(file) as temporary:
            temporary.write_bytes(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped_halfway()
    assert file.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_weights_come_back_to_the_bit(tmp_path):
    shared = torch.randn(5)
    state = {
        "conv": torch.randn(4, 3, 5, 5).to(memory_format=torch.channels_last),
        "a": shared,
        "b": shared,
        "half": torch.randn(3).bfloat16(),
        "steps": torch.tensor(7),
    }
    digest = assets.save_weights(tmp_path / "w.safetensors", state)
    assert digest == assets.sha256_file(tmp_path / "w.safetensors")
    back = assets.load_weights(tmp_path / "w.safetensors", digest)
    assert back.keys() == state.keys()
    for name, tensor in state.items():
        assert back[name].dtype == tensor.dtype
        assert torch.equal(back[name], tensor)


def test_equal_weights_give_equal_files(tmp_path):
    weight = torch.randn(4, 3, 5, 5)
    first = assets.save_weights(tmp_path / "1", {"w": weight, "b": torch.ones(2)})
    second = assets.save_weights(
        tmp_path / "2", {"b": torch.ones(2), "w": weight.to(memory_format=torch.channels_last)}
    )
    assert first == second


def test_save_replaces_at_once_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "w.safetensors"
    digest = assets.save_weights(path, {"w": torch.zeros(3)})

    def full_disk(aside, content):
        with aside.open("wb") as file:
            file.write(content[: len(content) // 2])
        raise OSError("No space left on device")

    monkeypatch.setattr(assets.Path, "write_bytes", full_disk)
    with pytest.raises(OSError, match="No space"):
        assets.save_weights(path, {"w": torch.ones(3)})
    assert torch.equal(assets.load_weights(path, digest)["w"], torch.zeros(3))
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_load_says_what_differs(tmp_path):
    path = tmp_path / "w.safetensors"
    with pytest.raises(FileNotFoundError, match=r"w\.safetensors"):
        assets.load_weights(path)
    digest = assets.save_weights(path, {"w": torch.zeros(3)})
    wanted = "0" * 64
    with pytest.raises(ValueError, match=f"{digest}.*{wanted}") as caught:
        assets.load_weights(path, wanted)
    assert "\n" not in str(caught.value)
    path.write_bytes(b"no weights at all")
    with pytest.raises(ValueError, match=r"not a \.safetensors file"):
        assets.load_weights(path)
    with pytest.raises(FileNotFoundError, match="no such folder"):
        assets.save_weights(tmp_path / "nowhere" / "w.safetensors", {})


def test_import_is_light():
    heavy = "{'pooch', 'requests', 'safetensors', 'tqdm'}"
    code = (
        "import sys, torch; before = set(sys.modules); import imtrans.assets\n"
        f"print(({heavy} & set(sys.modules)) - before)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "set()"
