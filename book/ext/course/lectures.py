"""Directives made from the playlist: `{lecture-video}`, a player, and `{lecture-grid}`, all lectures."""

from html import escape

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

from . import playlist


def player(course: playlist.Course, lecture: playlist.Lecture) -> str:
    """HTML of a lecture's player. Nothing is asked of YouTube before the reader clicks (see course.js)."""
    if lecture.video:
        embed = f"https://www.youtube-nocookie.com/embed/{lecture.video}"
        watch = f"https://www.youtube.com/watch?v={lecture.video}&list={course.playlist}"
        opens = f"lecture {lecture.number}"
        note = ""
    else:
        embed = f"https://www.youtube-nocookie.com/embed/videoseries?list={course.playlist}"
        watch = course.url
        opens = f"the playlist, for lecture {lecture.number}"
        note = " The player opens the whole playlist; look for its title there."
    return (
        f'<figure class="lecture-video" data-embed="{escape(embed)}" data-watch="{escape(watch)}">'
        f'<button type="button" aria-label="Play {opens} (loads YouTube)">'
        '<svg class="play" viewBox="0 0 68 48" aria-hidden="true"><rect width="68" height="48" rx="11"/>'
        '<path d="M27 14v20l18-10z"/></svg>'
        f'<span class="number">Lecture {lecture.number}</span>'
        f'<span class="title">{escape(lecture.title)}</span></button>'
        f"<figcaption>{escape(course.lecturer)}, {escape(course.institution)}. "
        f'<a href="{escape(watch)}">Watch on YouTube</a>.{note} '
        "Nothing is loaded from YouTube before you click.</figcaption></figure>"
    )


class LectureVideo(SphinxDirective):
    """`{lecture-video} SLUG`: the player of one lecture."""

    required_arguments = 1

    def run(self):
        self.env.note_dependency(str(playlist.PLAYLIST))
        course = playlist.read()
        try:
            lecture = course.lecture(self.arguments[0])
        except KeyError as error:
            raise self.error(error.args[0]) from None
        return [nodes.raw("", player(course, lecture), format="html")]


def grid(course: playlist.Course) -> str:
    """The lectures in playlist order as sphinx-design cards in MyST. Only published ones are links."""
    lines = ["::::{grid} 1 2 2 3", ":gutter: 3", ":class-container: lecture-grid", ""]
    for lecture in course.lectures:
        lines += [f":::{{grid-item-card}} {lecture.number} · {lecture.name}"]
        if lecture.published:
            lines += [f":link: /lectures/{lecture.stem}", ":link-type: doc"]
        else:
            lines += [":class-card: to-come"]
        source = f"{lecture.title}, {lecture.year}" + ("" if lecture.published else " · to come")
        lines += ["", lecture.transforms, "", "{.source}", source, ":::", ""]
    return "\n".join([*lines, "::::"])


class LectureGrid(SphinxDirective):
    """`{lecture-grid}`: every lecture of the playlist, those to come marked as such and not linked."""

    def run(self):
        self.env.note_dependency(str(playlist.PLAYLIST))
        container = nodes.container()
        text = StringList(grid(playlist.read()).splitlines(), source=str(playlist.PLAYLIST))
        self.state.nested_parse(text, self.content_offset, container)
        return container.children


def setup(app):
    """Register the directives."""
    app.add_directive("lecture-video", LectureVideo)
    app.add_directive("lecture-grid", LectureGrid)
