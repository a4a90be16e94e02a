"""The papers' picture sets: found on disk, else fetched, always verified.

A set is looked up in ``$IMTRANS_DATA/<name>``, then in the user's cache, then fetched from its mirrors into
the cache. Mirrors differ in file format, so a set is recognised by what its pictures hold: one sha256 over
the shape and the 8-bit levels of each picture, in the order of their names. The names are those of the
mirrors, without suffix::

    $IMTRANS_DATA/
        Set5/baby.png bird.png butterfly.png head.png woman.png
        B100/101085.png 101087.png ...
        BSD68/test001.png test002.png ...

Any suffix of ``images.SUFFIXES`` will do. Files that are no pictures, and pictures that are not in the set,
are left alone.

No licence for these pictures is ours to give. ``SETS[name].licence`` has the words of the source, often "not
stated": they are here to learn from and to be measured on, not to be published again.
"""

import os
import shutil
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from torch import Tensor

from imtrans import assets, images

NamedPicture = tuple[str, Tensor]

# The same commit of the same repository, by two hosts.
_HOSTS = (
    "https://raw.githubusercontent.com/{repository}/{commit}/{folder}/{file}",
    "https://cdn.jsdelivr.net/gh/{repository}@{commit}/{folder}/{file}",
)


@dataclass(frozen=True)
class Mirror:
    """A folder of a public repository that holds a set, at one commit."""

    repository: str
    commit: str
    folder: str
    suffix: str

    def urls(self, stem: str) -> list[str]:
        """The addresses of one picture."""
        parts = {"repository": self.repository, "commit": self.commit, "folder": self.folder}
        return [host.format(**parts, file=stem + self.suffix) for host in _HOSTS]


@dataclass(frozen=True)
class BenchmarkSet:
    """A set of pictures.

    Attributes:
        name: The name, which is also that of its folder.
        about: One line on what it is and what it is used for.
        pictures: The names of the pictures, sorted, without suffix.
        licence: The licence in the words of the source.
        source: Repository, commit and folder that the digest was computed from.
        mirrors: Where it can be fetched.
        digest: The sha256 of the decoded pictures, see :func:`digest`.
        part_of: A larger set, whose folder will do.
    """

    name: str
    about: str
    pictures: tuple[str, ...]
    licence: str
    source: str
    mirrors: tuple[Mirror, ...]
    digest: str
    part_of: str | None = None


_DNCNN = ("cszn/DnCNN", "e93b27812d3ff523a3a79d19e5e50d233d7a8d0a")
_DENOISING = ("majedelhelou/denoising_datasets", "d3636716c8e3fb806f4395bbb3f2e4c0fde50700")
_BSDS = ("BIDS/BSDS500", "a04b7c6c3a9f0ace74bf205c72a43d32e1c72722")
_BERKELEY = "not stated in the repository (Berkeley asks for research, non-commercial use)"

_SET14 = "baboon barbara bridge coastguard comic face flowers foreman lenna man monarch pepper ppt3 zebra"
_B100 = """
    101085 101087 102061 103070 105025 106024 108005 108070 108082 109053 119082 12084 123074 126007
    130026 134035 14037 143090 145086 147091 148026 148089 156065 157055 159008 160068 16077 163085 167062
    167083 170057 175032 175043 182053 189080 19021 196073 197017 208001 210088 21077 216081 219090 220075
    223061 227092 229036 236037 24077 241004 241048 253027 253055 260058 271035 285079 291000 295087
    296007 296059 299086 300091 302008 304034 304074 306005 3096 33039 351093 361010 37073 376043 38082
    38092 385039 41033 41069 42012 42049 43074 45096 54082 55073 58060 62096 65033 66053 69015 69020 69040
    76053 78004 8023 85048 86000 86016 86068 87046 89072 97033
"""
_CBSD68 = """
    101085 101087 102061 103070 105025 106024 108005 108070 108082 109053 119082 12084 123074 126007
    130026 134035 14037 143090 145086 147091 148026 148089 157055 159008 160068 16077 163085 167062 167083
    170057 175032 175043 182053 189080 19021 196073 197017 208001 210088 21077 216081 219090 220075 223061
    227092 229036 236037 24077 241004 241048 253027 253055 260058 271035 285079 291000 295087 296007
    296059 299086 300091 302008 304034 304074 306005 3096 33039 351093
"""
_BSD200 = """
    100075 100080 100098 103041 104022 105019 105053 106020 106025 108041 108073 109034 112082 113009
    113016 113044 117054 118020 118035 12003 12074 122048 124084 126039 130034 134008 134052 135037 135069
    138032 138078 140055 140075 144067 145014 145053 147021 147062 15004 15088 151087 153077 153093 155060
    156079 157036 159029 159045 159091 16052 161062 163014 163062 164074 166081 169012 170054 172032
    173036 176019 176035 176039 178054 181018 181079 181091 183055 183087 187003 187029 187039 187071
    187083 188005 188063 188091 189003 189011 196015 198004 198023 198054 20008 202012 207056 209070 2092
    216041 216053 216066 22013 22090 22093 225017 227040 227046 23025 23080 23084 231015 232038 236017
    238011 239007 239096 24004 24063 242078 245051 246016 246053 247085 249061 249087 25098 253036 254033
    254054 260081 26031 268002 27059 271008 271031 274007 277095 28075 28096 285036 286092 292066 293029
    299091 301007 302003 309004 310007 311068 311081 314016 317080 323016 326038 33066 35008 35010 35058
    35070 35091 353013 361084 365025 365073 368016 368078 370036 372047 374020 374067 376001 376020 385028
    388016 41004 41025 42044 42078 43070 43083 45077 46076 48055 54005 55067 55075 56028 59078 60079 61060
    61086 65010 65019 65074 65132 66039 66075 67079 68077 71046 76002 78019 80099 8049 8143 87065 90076
    92059 94079 95006 97017
"""
_BSD500_TEST = """
    100007 100039 100099 10081 101027 101084 102062 103006 103029 103078 104010 104055 105027 106005
    106047 107014 107045 107072 108004 108036 108069 109055 112056 112090 117025 118015 118031 118072
    120003 120093 123057 128035 130014 130066 134049 134067 140006 140088 14085 14092 141012 141048 145059
    145079 146074 147077 147080 15011 15062 156054 157032 157087 159002 159022 160006 16004 160067 16068
    161045 163004 163096 164046 168084 17067 175083 176051 179084 181021 183066 185092 187058 187099
    188025 189006 189013 189029 189096 196027 196040 196062 196088 198087 20069 201080 2018 202000 206062
    206097 207038 207049 208078 209021 217013 217090 220003 223004 223060 225022 226022 226033 226043
    226060 228076 230063 230098 23050 232076 235098 238025 243095 246009 247003 247012 249021 250047
    250087 253016 253092 257098 258089 259060 267036 268048 268074 277053 279005 28083 281017 285022
    288024 289011 290035 29030 296028 296058 302022 306051 306052 3063 309040 317043 326025 326085 33044
    334025 335088 335094 344010 346016 347031 35028 35049 36046 365072 368037 372019 376086 384022 384089
    385022 388006 388018 388067 393035 41006 41029 41085 41096 43033 43051 45000 48017 48025 49024 5096
    51084 6046 61034 64061 65084 69000 69007 69022 70011 70090 71076 71099 77062 78098 79073 80085 80090
    8068 81066 81090 81095 87015 92014 94095 97010
"""

_ALL = (
    BenchmarkSet(
        name="Set5",
        about="super-resolution test, 5 colour pictures (Bevilacqua and others, 2012)",
        pictures=("baby", "bird", "butterfly", "head", "woman"),
        licence="not stated",
        source="cszn/DnCNN @ e93b27812d3f : testsets/Set5",
        mirrors=(Mirror(*_DNCNN, "testsets/Set5", ".bmp"), Mirror(*_DENOISING, "Set5", ".png")),
        digest="fa3da4a78f67f1a3cea80099f210ce26fe08f7021dc79c5b753e01bf25984ac4",
    ),
    BenchmarkSet(
        name="Set14",
        about="super-resolution test, 14 pictures, bridge in gray (Zeyde and others, 2010)",
        pictures=tuple(_SET14.split()),
        licence="not stated",
        source="cszn/DnCNN @ e93b27812d3f : testsets/Set14",
        mirrors=(Mirror(*_DNCNN, "testsets/Set14", ".bmp"), Mirror(*_DENOISING, "Set14", ".png")),
        digest="1bf927c2da8ab884ff880344291870af2f51803f933827749d2b2a4415c1c325",
    ),
    BenchmarkSet(
        name="B100",
        about="super-resolution test, the 100 colour test pictures of BSDS300 (Martin and others, 2001)",
        pictures=tuple(_B100.split()),
        licence=_BERKELEY,
        source="BIDS/BSDS500 @ a04b7c6c3a9f : BSDS500/data/images/val",
        mirrors=(Mirror(*_BSDS, "BSDS500/data/images/val", ".jpg"),),
        digest="0981a590629ab7bc25e1afec71e1896a604a364f25ce47bcc7fea21f1faf1a9a",
    ),
    BenchmarkSet(
        name="Set12",
        about="denoising test, 12 gray pictures (Zhang and others, 2017)",
        pictures=tuple(f"{i:02d}" for i in range(1, 13)),
        licence="not stated",
        source="cszn/DnCNN @ e93b27812d3f : testsets/Set12",
        mirrors=(
            Mirror(*_DNCNN, "testsets/Set12", ".png"),
            Mirror("JingyunLiang/SwinIR", "33f616625268d08ba600f8db89388eec0328edb1", "testsets/Set12", ".png"),
        ),
        digest="bad52f282244adcb3674e180109b7dd8bac1899438083acc589c178b3ca23c19",
    ),
    BenchmarkSet(
        name="BSD68",
        about="denoising test, 68 gray pictures, each the gray version of one of B100 (Roth and Black, 2009)",
        pictures=tuple(f"test{i:03d}" for i in range(1, 69)),
        licence="not stated",
        source="cszn/DnCNN @ e93b27812d3f : testsets/BSD68",
        mirrors=(Mirror(*_DNCNN, "testsets/BSD68", ".png"),),
        digest="2c69e6aeddd1c72710aa29ec557a934ff693bc68ec2d80401faa2fdc8ffa17a9",
    ),
    BenchmarkSet(
        name="CBSD68",
        about="denoising test in colour, the 68 of B100 whose gray versions BSD68 is (Roth and Black, 2009)",
        pictures=tuple(_CBSD68.split()),
        licence=_BERKELEY,
        source="BIDS/BSDS500 @ a04b7c6c3a9f : BSDS500/data/images/val",
        mirrors=(Mirror(*_BSDS, "BSDS500/data/images/val", ".jpg"),),
        digest="808f315ba17e02d1a04e1fc374a395a21ec9bcec7d41d4499fa481f190242c7b",
        part_of="B100",
    ),
    BenchmarkSet(
        name="T91",
        about="super-resolution training, 91 colour pictures (Yang and others, 2010)",
        # The authors' numbering has two gaps.
        pictures=tuple(
            sorted([f"t{i}" for i in range(1, 67) if i != 41] + [f"tt{i}" for i in range(1, 28) if i != 11])
        ),
        licence="repository MIT; images: not stated",
        source="jiny2001/dcscn-super-resolution @ d382bc30d41c : data/yang91",
        # A copy of the source's folder: the source itself is known here by a shortened commit only.
        mirrors=(
            Mirror("JYEDU/CV_Super_Resolution", "6cd8b1a0d49f7d2fcd9eae6eda06dcf089f864c8", "data/yang91", ".bmp"),
        ),
        digest="aee0759f280e62e07d7ad5c0546f343b062abbc5fe9874850eb07ac44d3d1084",
    ),
    BenchmarkSet(
        name="BSD200",
        about="training, the 200 colour training pictures of BSDS300 (Martin and others, 2001)",
        pictures=tuple(_BSD200.split()),
        licence=_BERKELEY,
        source="BIDS/BSDS500 @ a04b7c6c3a9f : BSDS500/data/images/train",
        mirrors=(Mirror(*_BSDS, "BSDS500/data/images/train", ".jpg"),),
        digest="18f8a0f289ee5b19be03407b9d55bd0782efb7c8b4ab21857e20f0b303eb8645",
    ),
    BenchmarkSet(
        name="BSD500_test",
        about="training here, the 200 colour pictures that BSDS500 added (Arbelaez and others, 2011)",
        pictures=tuple(_BSD500_TEST.split()),
        licence=_BERKELEY,
        source="BIDS/BSDS500 @ a04b7c6c3a9f : BSDS500/data/images/test",
        mirrors=(Mirror(*_BSDS, "BSDS500/data/images/test", ".jpg"),),
        digest="4a670bdae09e0022e7476ceb92e924f91db039898722506c5480fe652171d2e4",
    ),
    BenchmarkSet(
        name="Train400",
        about="denoising training, 400 gray crops of BSD200 and BSD500_test (Chen and Pock, 2017)",
        pictures=tuple(f"test_{i:03d}" for i in range(1, 401)),
        licence="repository GPL-3.0; images: not stated",
        source="SaoYan/DnCNN-PyTorch @ 6b0804951484 : data/train",
        mirrors=(
            Mirror("SaoYan/DnCNN-PyTorch", "6b0804951484eadb7f1ea24e8e5c9ede9bea485b", "data/train", ".png"),
            Mirror(*_DNCNN, "TrainingCodes/DnCNN_TrainingCodes_v1.0/data/Train400", ".png"),
        ),
        digest="7d86bf4db56ae8a54c61db9824401eb150985215a2d38a995b8c45f591f424c1",
    ),
    BenchmarkSet(
        name="ImageNet1000_256",
        about="training, one picture per class of ImageNet, the shorter side 256 (Russakovsky and others, 2015)",
        pictures=tuple(Path(__file__).with_name("imagenet1000.txt").read_text(encoding="utf-8").split()),
        licence="not stated; ImageNet: non-commercial research",
        source="EliSchwartz/imagenet-sample-images @ bc69043e2862, made smaller by Lanczos, JPEG of quality 92",
        mirrors=(),  # the repository has the large pictures; these copies are made by hand
        digest="365b614d840f8ebdbc9bbfcc1ee7e8f34553e5a07012cbd76604825bc415f7f7",
    ),
)
SETS: dict[str, BenchmarkSet] = {benchmark.name: benchmark for benchmark in _ALL}

_TEN = range(10, 200, 20)
HELD_OUT: dict[str, tuple[str, ...]] = {
    "BSD500_test": (
        "104010", "123057", "157032", "187058", "208078", "246009", "289011", "35028", "45000", "80085",
    ),
    "Train400": tuple(f"test_{201 + i}" for i in _TEN),
    "ImageNet1000_256": SETS["ImageNet1000_256"].pictures[2::5],
}  # fmt: skip
"""Pictures that no training sees: they choose checkpoints and settings, so that no test set has to.

Ten are the 11th, 31st, ..., 191st of BSD500_test by name. The crops 201 to 400 of Train400 come from these 200
pictures in the same order (found by exact pixels), so ten of them are held out as well. Every fifth picture of
ImageNet1000_256 is held out for questions about features: 200 classes.
"""

TEST_PICTURES: dict[str, tuple[str, ...]] = {"BSD200": ("302003",)}
"""Pictures of training sets that are test pictures too, and so left out of trainings.

302003 is the woman of Set5, in BSD200 once more and larger; a test looks for others, by thumbnails. Recipes of version
1 saw it, as did whoever trained on T91 and BSD200, the 291 images of many papers.
"""


def find(name: str) -> Path:
    """The folder of a set: from ``IMTRANS_DATA``, from the cache, or freshly fetched.

    Args:
        name: One of ``SETS``.

    Raises:
        ValueError: If there is no such set, or a folder of that name lacks some of the pictures.
        FileNotFoundError: If it is in none of the places. The sentence says where it was looked for and how
            to give it by hand.
    """
    return locate(name) or _fetch(_set(name))


def locate(name: str) -> Path | None:
    """The folder of a set if it is on this machine, else None. Nothing is fetched.

    Raises:
        ValueError: If there is no such set, or a folder of that name lacks some of the pictures.
    """
    benchmark = _set(name)
    for folder in _places(name):
        if folder.is_dir():
            _files(folder, benchmark)
            return folder
    return None


def load(name: str, *, held_out: bool | None = None) -> list[NamedPicture]:
    """The pictures of a set, found or fetched, and verified.

    Args:
        name: One of ``SETS``.
        held_out: None for all, True for those of ``HELD_OUT``, False for what a training takes: neither those nor
            the ``TEST_PICTURES``.

    Returns:
        (name, picture) sorted by name; a picture is (1, C, H, W) in [0, 1], C = 1 for gray files.

    Raises:
        ValueError: If there is no such set, its pixels are not the known ones, or nothing is held out of it.
        FileNotFoundError: If it is not to be had, see :func:`find`.
    """
    benchmark = _set(name)
    aside = HELD_OUT.get(name, ())
    if held_out and not aside:
        raise ValueError(f"nothing is held out of {name}, only of {' and '.join(HELD_OUT)}")
    pictures = verify(name, find(name))
    if held_out is None:
        return pictures
    wanted = set(aside) if held_out else set(benchmark.pictures) - {*aside, *TEST_PICTURES.get(name, ())}
    return [(stem, picture) for stem, picture in pictures if stem in wanted]


class PictureFolder(Sequence[NamedPicture]):
    """Named pictures of a folder, each read from its file whenever it is asked for: no more than one is in memory.

    Attributes:
        files: Name of each picture → its file, sorted by name. A name is that of the file without suffix; if two files
            of the folder differ in the suffix alone, or in capitals, all names keep their suffix.
    """

    def __init__(self, folder: str | os.PathLike) -> None:
        paths = images.list_pictures(folder)
        distinct = len({path.stem.casefold() for path in paths}) == len(paths)
        self.files = dict(sorted((path.stem if distinct else path.name, path) for path in paths))

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int | slice) -> NamedPicture | list[NamedPicture]:
        chosen = list(self.files.items())[index]
        if isinstance(index, slice):
            return [(name, images.read(path)) for name, path in chosen]
        name, path = chosen
        return name, images.read(path)


def load_folder(folder: str | os.PathLike) -> PictureFolder:
    """The pictures of any folder, not verified, as a sequence that reads each one when it is asked for.

    Returns:
        Pairs (name, picture) sorted by name, as :func:`load` gives them. A file that is no picture raises a
        ``ValueError`` when its turn comes.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If it holds no picture.
    """
    return PictureFolder(folder)


def verify(name: str, folder: str | os.PathLike) -> list[NamedPicture]:
    """Read the set ``name`` from a folder and compare it with the known pixels.

    Returns:
        The pictures of the set, as :func:`load` gives them.

    Raises:
        ValueError: If pictures are missing or their pixels are others.
    """
    benchmark = _set(name)
    pictures = [(stem, images.read(path)) for stem, path in _files(Path(folder), benchmark).items()]
    found = digest(pictures)
    if found != benchmark.digest:
        raise ValueError(
            f"the pictures in {folder} are not those of {name}: sha256 of the pixels {found[:12]}…, wanted "
            f"{benchmark.digest[:12]}… (cropped, or compressed anew? load_folder reads them as they are)"
        )
    return pictures


def digest(pictures: Iterable[NamedPicture]) -> str:
    """One sha256 for a set: over a line ``<name> <sha256 of shape and levels>`` for each picture, in turn.

    JPEG files have the same levels under every decoder that computes as libjpeg-turbo does, Pillow's among
    them.
    """
    total = sha256()
    for stem, picture in pictures:
        total.update(f"{stem} {assets.sha256_pixels(images.to_uint8(picture)[0].numpy())}\n".encode())
    return total.hexdigest()


def _set(name: str) -> BenchmarkSet:
    if name not in SETS:
        raise ValueError(f"no picture set {name!r}: there are {', '.join(SETS)}")
    return SETS[name]


def _cache(name: str) -> Path:
    return assets.cache_dir() / "benchmarks" / name


def _places(name: str) -> list[Path]:
    names = [name for name in (name, SETS[name].part_of) if name]
    root = assets.data_root()
    return [place for name in names for place in ([] if root is None else [root / name]) + [_cache(name)]]


def _files(folder: Path, benchmark: BenchmarkSet) -> dict[str, Path]:
    """The file of each picture, in the set's order."""
    files = {path.stem: path for path in images.list_pictures(folder)}
    lacking = [stem for stem in benchmark.pictures if stem not in files]
    if lacking:
        raise ValueError(
            f"{folder} lacks {len(lacking)} of the {len(benchmark.pictures)} pictures of {benchmark.name}, "
            f"{lacking[0]!r} first"
        )
    return {stem: files[stem] for stem in benchmark.pictures}


def _fetch(benchmark: BenchmarkSet) -> Path:
    """Fetch a set from the first mirror that has the right pixels, into the cache; all of it or nothing."""
    target = _cache(benchmark.name)
    failures = []
    for mirror in benchmark.mirrors:
        # A folder a mirror, so that pictures of two mirrors never mix; what was fetched before a break stays.
        owner = mirror.repository.replace("/", "-")
        aside = target.with_name(f".{benchmark.name}-{owner}-{mirror.commit[:12]}")
        try:
            _download(benchmark, mirror, aside)
            verify(benchmark.name, aside)
        except FileNotFoundError:
            failures.append(f"{mirror.repository}: no answer")
        except ValueError:
            failures.append(f"{mirror.repository}: other pixels")
            shutil.rmtree(aside)
        else:
            return aside.rename(target)
    looked = " nor in ".join(str(place) for place in _places(benchmark.name))
    file = benchmark.pictures[0] + ".png"
    raise FileNotFoundError(
        f"{benchmark.name} is not in {looked}, and could not be fetched ({'; '.join(failures)}): put its "
        f"{len(benchmark.pictures)} pictures ({file}, …) into {target}, or set IMTRANS_DATA "
        f"to a folder that holds {benchmark.name}/{file} and the others"
    )


def _download(benchmark: BenchmarkSet, mirror: Mirror, folder: Path) -> None:
    from tqdm.auto import tqdm

    def fetch(stem: str) -> None:
        assets.fetch(mirror.urls(stem), folder / (stem + mirror.suffix), progress=False)

    fetch(benchmark.pictures[0])  # before any bar and any thread: where there is no network, this says so
    with ThreadPoolExecutor(8) as pool:
        jobs = [pool.submit(fetch, stem) for stem in benchmark.pictures[1:]]
        title = f"{benchmark.name} from {mirror.repository}"
        try:
            for job in tqdm(as_completed(jobs), title, len(jobs), leave=False):
                job.result()
        except FileNotFoundError:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
