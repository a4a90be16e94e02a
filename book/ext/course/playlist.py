"""Read `book/playlist.yml`, and the repository's address from `_config.yml`."""

from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[3]
PLAYLIST = ROOT / "book" / "playlist.yml"
CONFIG = ROOT / "_config.yml"


@dataclass(frozen=True)
class Lecture:
    """One lecture: `name` is the short form of `title`; `video` is None while its id is not known."""

    number: int
    slug: str
    name: str
    title: str
    year: int
    transforms: str
    video: str | None
    published: bool

    @property
    def stem(self) -> str:
        """File name, without suffix, of the lecture's page and notebook."""
        return f"{self.number:02d}-{self.slug}"


@dataclass(frozen=True)
class Course:
    """The whole course."""

    course: str
    lecturer: str
    institution: str
    playlist: str
    lectures: tuple[Lecture, ...]

    @property
    def url(self) -> str:
        """The playlist's page."""
        return f"https://www.youtube.com/playlist?list={self.playlist}"

    def lecture(self, slug: str) -> Lecture:
        """The lecture with this slug; a KeyError names the slugs there are."""
        for lecture in self.lectures:
            if lecture.slug == slug:
                return lecture
        raise KeyError(f"no lecture {slug!r}; there are {', '.join(x.slug for x in self.lectures)}")


def read(path: Path = PLAYLIST) -> Course:
    """Read the course file. A field too many or too few raises a TypeError that names it."""
    fields = yaml.safe_load(path.read_text(encoding="utf-8"))
    lectures = tuple(Lecture(**lecture) for lecture in fields.pop("lectures"))
    return Course(**fields, lectures=lectures)


def repository(path: Path = CONFIG) -> tuple[str, str] | None:
    """("owner/name", branch) of the repository, None until `_config.yml` gives its address."""
    place = yaml.safe_load(path.read_text(encoding="utf-8"))["repository"]
    return (place["url"].removeprefix("https://github.com/").strip("/"), place["branch"]) if place["url"] else None
