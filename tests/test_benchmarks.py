import re
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from imtrans import assets, images
from imtrans.color import rgb_to_y
from imtrans.data import benchmarks, photos
from imtrans.data.benchmarks import HELD_OUT, SETS, BenchmarkSet, Mirror

COUNTS = {
    "Set5": 5,
    "Set14": 14,
    "B100": 100,
    "Set12": 12,
    "BSD68": 68,
    "CBSD68": 68,
    "T91": 91,
    "BSD200": 200,
    "BSD500_test": 200,
    "Train400": 400,
    "ImageNet1000_256": 1000,
}
COMMIT = "0123456789" * 4


@pytest.fixture
def own_places(tmp_path, monkeypatch):
    """A cache of this test alone, and no IMTRANS_DATA."""
    monkeypatch.setattr(assets, "cache_dir", lambda: tmp_path / "cache")
    monkeypatch.delenv("IMTRANS_DATA", raising=False)
    return tmp_path


@pytest.fixture
def tiny(own_places, monkeypatch):
    """A colour and a gray picture, served by this machine from two mirrors, the first with other pixels."""
    web = own_places / "web"
    stems = ("first", "second")
    levels = {
        "first": np.arange(6 * 5 * 3, dtype=np.uint8).reshape(6, 5, 3),
        "second": np.arange(20, dtype=np.uint8).reshape(4, 5),
    }
    bad, good = (web / f"owner/{name}/{COMMIT}/pictures" for name in ("bad", "good"))
    bad.mkdir(parents=True)
    good.mkdir(parents=True)
    for stem in stems:
        Image.fromarray(levels[stem]).save(good / f"{stem}.bmp")
        Image.fromarray(levels[stem] + np.uint8(1)).save(bad / f"{stem}.png")
    (good / "notes.csv").write_text("no picture")
    benchmark = BenchmarkSet(
        name="Tiny",
        about="two pictures",
        pictures=stems,
        licence="not stated",
        source="this test",
        mirrors=(
            Mirror("owner/bad", COMMIT, "pictures", ".png"),
            Mirror("owner/good", COMMIT, "pictures", ".bmp"),
        ),
        digest=benchmarks.digest(benchmarks.load_folder(good)),
    )
    monkeypatch.setitem(SETS, "Tiny", benchmark)

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            self.server.asked.append(self.path)

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=web)) as server:
        server.asked = []
        server.good = good
        hosts = (f"http://127.0.0.1:{server.server_port}/{{repository}}/{{commit}}/{{folder}}/{{file}}",)
        monkeypatch.setattr(benchmarks, "_HOSTS", hosts)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_the_sets_are_well_formed():
    assert {name: len(benchmark.pictures) for name, benchmark in SETS.items()} == COUNTS
    for name, benchmark in SETS.items():
        assert benchmark.name == name
        assert list(benchmark.pictures) == sorted(set(benchmark.pictures))
        assert re.fullmatch("[0-9a-f]{64}", benchmark.digest)
        assert benchmark.licence
        assert benchmark.mirrors or name == "ImageNet1000_256"  # made by hand from larger pictures
        for mirror in benchmark.mirrors:
            assert re.fullmatch("[0-9a-f]{40}", mirror.commit)
            assert mirror.suffix in images.SUFFIXES
            for url in mirror.urls(benchmark.pictures[0]):
                assert mirror.commit in url
                assert url.startswith("https://")
                assert url.endswith("/" + benchmark.pictures[0] + mirror.suffix)


def test_test_pictures_are_not_training_pictures():
    assert not set(SETS["B100"].pictures) & (set(SETS["BSD200"].pictures) | set(SETS["BSD500_test"].pictures))
    assert not set(SETS["BSD200"].pictures) & set(SETS["BSD500_test"].pictures)


def thumbnails(pictures: list[torch.Tensor]) -> torch.Tensor:
    """Luma in 16 × 16 cells, of mean 0 and norm 1: products of them are correlations."""
    luma = [rgb_to_y(picture) if picture.shape[1] == 3 else picture for picture in pictures]
    small = torch.cat([F.interpolate(y, size=(16, 16), mode="area") for y in luma])
    centred = small - small.mean(dim=(2, 3), keepdim=True)
    return centred / centred.square().sum(dim=(2, 3), keepdim=True).sqrt()


def likeness(pictures: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """The largest correlation of each of the ``pictures`` with any of the ``others``, in any of eight views."""
    turned = [t.rot90(k, (2, 3)) for t in (others, others.flip(3)) for k in range(4)]
    return (pictures.flatten(1) @ torch.cat(turned).flatten(1).T).amax(dim=1)


def test_thumbnails_find_a_picture_again_turned_and_shrunk():
    picture = photos.photo("chelsea").picture
    again = F.interpolate(picture.rot90(1, (2, 3)), scale_factor=0.6, mode="bilinear", antialias=True)
    assert likeness(thumbnails([picture]), thumbnails([again])) > 0.99


@pytest.mark.parametrize("name", ["T91", "BSD200", "BSD500_test", "Train400", "ImageNet1000_256", "bundled"])
def test_no_training_has_a_test_picture_even_made_smaller(data_root, name):
    if name == "bundled":
        training = [photo.picture for photo in photos.photos("train")]
    else:
        training = [picture for _, picture in benchmarks.load(name, held_out=False)]
    for test_set in ("Set5", "Set14", "B100", "BSD68", "Set12"):
        test = [picture for _, picture in benchmarks.load(test_set)]
        # Strangers reach 0.95, two landscapes; the woman of Set5 and her larger copy 0.992.
        assert likeness(thumbnails(test), thumbnails(training)).max() < 0.97, test_set


def quarter(picture: torch.Tensor) -> torch.Tensor:
    """Luma at a quarter of the size."""
    return F.avg_pool2d(rgb_to_y(picture) if picture.shape[1] == 3 else picture, 4)


def best_match(piece: torch.Tensor, picture: torch.Tensor) -> float:
    """The largest normalised cross-correlation of a piece with any place of a larger picture, in any of eight views."""
    best = -1.0
    for upright in (piece, piece.rot90(1, (2, 3))):
        views = torch.cat([upright, upright.flip(2), upright.flip(3), upright.flip((2, 3))])
        if upright.shape[2] > picture.shape[2] or upright.shape[3] > picture.shape[3]:
            continue
        centred = views - views.mean(dim=(2, 3), keepdim=True)
        kernels = centred / centred.square().sum(dim=(2, 3), keepdim=True).sqrt()
        moments = F.conv2d(torch.cat([picture, picture.square()]), torch.ones_like(kernels[:1]))
        energy = (moments[1] - moments[0].square() / upright[0].numel()).clamp(min=1e-6)
        best = max(best, float((F.conv2d(picture, kernels) / energy.sqrt()).max()))
    return best


def test_no_piece_of_t91_is_cut_from_a_test_picture(data_root):
    pictures = [quarter(picture) for name in ("Set5", "Set14") for _, picture in benchmarks.load(name)]
    lenna = next(picture for name, picture in benchmarks.load("Set14") if name == "lenna")
    cut = quarter(images.crop(lenna, (233, 251, 102, 90)).flip(3))  # the grid of the quarter is shifted there
    assert best_match(cut, quarter(lenna)) > 0.95
    for name, piece in benchmarks.load("T91"):
        assert max(best_match(quarter(piece), picture) for picture in pictures) < 0.88, name  # strangers: up to 0.85


def test_the_test_picture_in_a_training_set_is_the_woman_of_set5(data_root):
    [woman] = [picture for name, picture in benchmarks.load("Set5") if name == "woman"]
    [copy] = [picture for name, picture in benchmarks.load("BSD200") if name in benchmarks.TEST_PICTURES["BSD200"]]
    assert likeness(thumbnails([woman]), thumbnails([copy])) > 0.98


def test_ten_are_held_out_evenly():
    for name in ("BSD500_test", "Train400"):
        places = [SETS[name].pictures.index(stem) for stem in HELD_OUT[name]]
        assert len(places) == 10
        assert set(np.diff(places)) == {20}


def test_a_fifth_of_the_classes_is_held_out_evenly():
    places = [SETS["ImageNet1000_256"].pictures.index(stem) for stem in HELD_OUT["ImageNet1000_256"]]
    assert len(places) == 200
    assert set(np.diff(places)) == {5}


@pytest.mark.parametrize("name", COUNTS)
def test_pixels_of_the_data_root(name, data_root):
    pictures = benchmarks.verify(name, data_root / (SETS[name].part_of or name))
    assert [stem for stem, _ in pictures] == list(SETS[name].pictures)
    channels = {picture.shape[1] for _, picture in pictures}
    assert channels == {"Set14": {1, 3}, "Set12": {1}, "BSD68": {1}, "Train400": {1}}.get(name, {3})


def gray(levels: np.ndarray) -> np.ndarray:
    """MATLAB's rgb2gray of (H, W, 3) levels."""
    return np.floor(levels @ np.array([0.298936021293775, 0.587043074451121, 0.114020904255103]) + 0.5).astype(np.uint8)


def test_colour_and_gray_of_one_set(data_root):
    """BSD68 is the gray version of CBSD68, to the pixel and in the same order, under other names."""
    colour = benchmarks.verify("CBSD68", data_root / "B100")
    for (stem, picture), (other, wanted) in zip(colour, benchmarks.load_folder(data_root / "BSD68"), strict=True):
        levels = images.to_uint8(picture)[0].permute(1, 2, 0).numpy()
        assert np.array_equal(gray(levels), images.to_uint8(wanted)[0, 0].numpy()), (stem, other)
    assert set(SETS["CBSD68"].pictures) < set(SETS["B100"].pictures)


def test_held_out_pictures_are_left_out_of_training(data_root, monkeypatch):
    monkeypatch.setenv("IMTRANS_DATA", str(data_root))
    held_out = benchmarks.load("BSD500_test", held_out=True)
    training = benchmarks.load("BSD500_test", held_out=False)
    assert tuple(stem for stem, _ in held_out) == HELD_OUT["BSD500_test"]
    assert len(training) == 190
    assert not {stem for stem, _ in training} & set(HELD_OUT["BSD500_test"])


def test_held_out_crops_come_from_the_held_out_pictures(data_root, monkeypatch):
    """Each held-out crop of Train400 lies in the gray version of its picture, to the pixel."""
    for stem, crop_stem in zip(HELD_OUT["BSD500_test"], HELD_OUT["Train400"], strict=True):
        levels = np.asarray(Image.open(data_root / "BSD500_test" / f"{stem}.jpg"))
        crop = np.asarray(Image.open(data_root / "Train400" / f"{crop_stem}.png"))
        windows = np.lib.stride_tricks.sliding_window_view(gray(levels), crop.shape)
        diagonal = np.arange(0, 180, 20)
        likely = (windows[:, :, diagonal, diagonal] == crop[diagonal, diagonal]).all(-1)
        assert any(np.array_equal(windows[y, x], crop) for y, x in zip(*likely.nonzero(), strict=True))


def test_fetched_from_the_mirror_with_the_right_pixels_and_then_kept(tiny, own_places):
    assert benchmarks.locate("Tiny") is None
    folder = benchmarks.find("Tiny")
    assert folder == own_places / "cache" / "benchmarks" / "Tiny"
    assert sorted(p.name for p in folder.iterdir()) == ["first.bmp", "second.bmp"]
    assert [p.name for p in folder.parent.iterdir()] == ["Tiny"]  # nothing of the other mirror is left
    asked = len(tiny.asked)
    pictures = benchmarks.load("Tiny")
    assert len(tiny.asked) == asked
    assert [(stem, tuple(picture.shape)) for stem, picture in pictures] == [
        ("first", (1, 3, 6, 5)),
        ("second", (1, 1, 4, 5)),
    ]


def test_the_data_root_comes_first(tiny, own_places, monkeypatch):
    root = own_places / "root"
    shutil.copytree(tiny.good, root / "Tiny")
    monkeypatch.setenv("IMTRANS_DATA", str(root))
    assert benchmarks.find("Tiny") == benchmarks.locate("Tiny") == root / "Tiny"
    assert len(benchmarks.load("Tiny")) == 2
    assert tiny.asked == []


@pytest.fixture
def part(tiny, monkeypatch):
    """A set that is one of the two pictures of Tiny."""
    picture = benchmarks.load_folder(tiny.good)[:1]
    mirrors = SETS["Tiny"].mirrors[1:]
    part = BenchmarkSet("Part", "", ("first",), "", "", mirrors, benchmarks.digest(picture), part_of="Tiny")
    monkeypatch.setitem(SETS, "Part", part)
    return tiny


def test_a_part_is_found_in_the_whole(part, own_places, monkeypatch):
    root = own_places / "root"
    root.mkdir()
    monkeypatch.setenv("IMTRANS_DATA", str(root))
    assert benchmarks.locate("Part") is None
    for place in (own_places / "cache" / "benchmarks", root):  # the data root goes first
        shutil.copytree(part.good, place / "Tiny")
        assert benchmarks.locate("Part") == benchmarks.find("Part") == place / "Tiny"
        assert [stem for stem, _ in benchmarks.load("Part")] == ["first"]
    assert part.asked == []
    shutil.copytree(part.good, root / "Part")  # a folder of its own goes before that
    assert benchmarks.locate("Part") == root / "Part"
    assert benchmarks.locate("Tiny") == root / "Tiny"


def test_a_part_is_fetched_alone(part, own_places):
    assert benchmarks.find("Part") == own_places / "cache" / "benchmarks" / "Part"
    assert [file.name for file in benchmarks.find("Part").iterdir()] == ["first.bmp"]
    assert benchmarks.locate("Tiny") is None


def test_a_part_that_is_nowhere(part, own_places):
    shutil.rmtree(part.good)
    with pytest.raises(FileNotFoundError) as caught:
        benchmarks.load("Part")
    cache = own_places / "cache" / "benchmarks"
    assert f"Part is not in {cache / 'Part'} nor in {cache / 'Tiny'}" in str(caught.value)
    # Not into that of the whole: there it would be a set that lacks the rest.
    assert f"put its 1 pictures (first.png, …) into {cache / 'Part'}, or" in str(caught.value)


def test_other_pixels_missing_and_extra_pictures(tiny, own_places, monkeypatch):
    root = own_places / "root"
    shutil.copytree(tiny.good, root / "Tiny")
    monkeypatch.setenv("IMTRANS_DATA", str(root))
    Image.new("L", (4, 4)).save(root / "Tiny" / "extra.png")
    assert [stem for stem, _ in benchmarks.load("Tiny")] == ["first", "second"]

    Image.new("L", (5, 4)).save(root / "Tiny" / "second.bmp")
    with pytest.raises(ValueError, match="not those of Tiny") as caught:
        benchmarks.load("Tiny")
    assert "\n" not in str(caught.value)
    assert len(benchmarks.load_folder(root / "Tiny")) == 3

    (root / "Tiny" / "second.bmp").unlink()
    with pytest.raises(ValueError, match="lacks 1 of the 2 pictures of Tiny, 'second' first"):
        benchmarks.find("Tiny")


def test_a_set_that_is_nowhere_is_told_in_one_sentence(tiny, own_places, monkeypatch):
    root = own_places / "root"
    root.mkdir()
    monkeypatch.setenv("IMTRANS_DATA", str(root))
    shutil.rmtree(tiny.good)
    with pytest.raises(FileNotFoundError) as caught:
        benchmarks.load("Tiny")
    sentence = str(caught.value)
    assert "\n" not in sentence
    for part in (
        str(root / "Tiny"),
        str(own_places / "cache" / "benchmarks" / "Tiny"),
        "owner/bad: other pixels",
        "owner/good: no answer",
        "IMTRANS_DATA",
        "Tiny/first.png",
    ):
        assert part in sentence
    assert benchmarks.locate("Tiny") is None


def test_a_broken_fetch_goes_on_where_it_stopped(tiny):
    second = tiny.good / "second.bmp"
    content = second.read_bytes()
    second.unlink()
    with pytest.raises(FileNotFoundError):
        benchmarks.find("Tiny")
    second.write_bytes(content)
    tiny.asked.clear()
    benchmarks.find("Tiny")
    assert not any("good" in line and "first" in line for line in tiny.asked)


@pytest.mark.parametrize("is_done", [False, True])
def test_a_set_that_another_process_has_fetched_meanwhile_is_taken(tiny, own_places, monkeypatch, is_done):
    target, download = own_places / "cache" / "benchmarks" / "Tiny", benchmarks._download
    monkeypatch.setitem(SETS, "Tiny", replace(SETS["Tiny"], mirrors=SETS["Tiny"].mirrors[1:]))

    def beaten(benchmark, mirror, folder):
        if is_done:
            download(benchmark, mirror, folder)
        shutil.copytree(tiny.good, target)
        if not is_done:
            raise FileNotFoundError("its folder was renamed")

    monkeypatch.setattr(benchmarks, "_download", beaten)
    assert benchmarks.find("Tiny") == target
    assert [path.name for path in target.parent.iterdir()] == ["Tiny"]


def test_ctrl_c_leaves_the_pictures_that_wait_unfetched(tmp_path, monkeypatch):
    class Pool(ThreadPoolExecutor):
        def shutdown(self, *arguments, **options):
            super().shutdown(wait=False, cancel_futures=options.get("cancel_futures", False))
            gate.set()  # only now do the running ones end
            super().shutdown()

    def fetch(*_, **__):
        fetched.append(None)
        if len(fetched) > 1:  # the first one is fetched alone
            gate.wait(30)

    def interrupted(jobs):
        raise KeyboardInterrupt

    fetched, gate = [], threading.Event()
    monkeypatch.setattr(benchmarks, "ThreadPoolExecutor", Pool)
    monkeypatch.setattr(assets, "fetch", fetch)
    monkeypatch.setattr(benchmarks, "as_completed", interrupted)
    many = replace(SETS["Set5"], pictures=tuple(str(number) for number in range(400)))
    with pytest.raises(KeyboardInterrupt):
        benchmarks._download(many, Mirror("owner/good", COMMIT, "pictures", ".png"), tmp_path)
    assert len(fetched) <= 1 + 8  # the threads' own


def test_the_digest_sees_names_levels_and_channels():
    x = torch.rand(1, 3, 4, 5)
    base = benchmarks.digest([("a", x), ("b", x)])
    other = x.clone()
    other[0, 0, 0, 0] = 1 - other[0, 0, 0, 0].round()
    assert base == benchmarks.digest([("a", x), ("b", x + 1e-6)])  # the same 8-bit levels
    for changed in ([("a", x), ("c", x)], [("a", other), ("b", x)], [("a", x)], [("a", x), ("b", x[:, :1])]):
        assert benchmarks.digest(changed) != base


def test_load_folder_sorts_by_name(tmp_path):
    for name in ("b.png", "a.bmp", "c.jpg"):
        Image.new("RGB", (8, 8)).save(tmp_path / name)
    assert [stem for stem, _ in benchmarks.load_folder(tmp_path)] == ["a", "b", "c"]
    with pytest.raises(FileNotFoundError, match="nowhere"):
        benchmarks.load_folder(tmp_path / "nowhere")


def test_load_folder_reads_pictures_when_they_are_asked_for(tmp_path, monkeypatch):
    for name in ("a.png", "b.png", "c.png"):
        Image.new("L", (8, 8)).save(tmp_path / name)
    read, files = images.read, []
    monkeypatch.setattr(images, "read", lambda path: (files.append(path.name), read(path))[1])
    folder = benchmarks.load_folder(tmp_path)
    assert len(folder) == 3
    assert files == []
    next(iter(folder))
    assert files == ["a.png"]
    assert [name for name, _ in folder[1:]] == ["b", "c"]
    assert folder[-1][0] == "c"
    assert files == ["a.png", "b.png", "c.png", "c.png"]


@pytest.mark.parametrize(
    ("files", "names"),
    [
        (("a.png", "b.png"), ["a", "b"]),
        (("a.png", "a.bmp", "b.png"), ["a.bmp", "a.png", "b.png"]),
        (("A.png", "a.bmp"), ["A.png", "a.bmp"]),  # on many disks one name
        (("a.png", "a.bmp", "a.png.png"), ["a.bmp", "a.png", "a.png.png"]),
    ],
)
def test_no_two_pictures_of_a_folder_share_a_name(tmp_path, files, names):
    for index, file in enumerate(files):
        Image.new("L", (8, 8), index).save(tmp_path / file)
    pictures = dict(benchmarks.load_folder(tmp_path))
    assert list(pictures) == names
    for index, file in enumerate(files):
        name = file if names[0].endswith((".png", ".bmp")) else file.partition(".")[0]
        assert images.to_uint8(pictures[name])[0, 0, 0, 0] == index


def test_a_damaged_picture_of_a_folder_is_named(tmp_path):
    Image.new("L", (8, 8)).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"damaged")
    folder = benchmarks.load_folder(tmp_path)
    with pytest.raises(ValueError, match=r"b\.png is not a picture"):
        list(folder)


def test_unknown_names():
    with pytest.raises(ValueError, match=r"'Set6'.*Set5"):
        benchmarks.find("Set6")
    with pytest.raises(ValueError, match="nothing is held out of Set5"):
        benchmarks.load("Set5", held_out=True)
