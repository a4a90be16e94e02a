"""Sphinx extension of this book: players, lecture grid and result tables, made from data files.

`book/playlist.yml` gives the lectures, the cards in `src/imtrans/zoo` the measured numbers and the CSV files
in `src/imtrans/published` the papers' ones. No directive imports the package, so pages build without torch.
"""

import re

from docutils import nodes

from . import lectures, poll, results


def link_repository(app, config):
    """Turn on the Colab, repository, issue and edit buttons once `_config.yml` has the address."""
    if not config.html_theme_options.get("repository_url"):
        config.html_theme_options.pop("repository_url", None)
        return
    config.html_theme_options |= {
        "use_repository_button": True,
        "use_issues_button": True,
        "use_edit_page_button": True,
        "launch_buttons": {"colab_url": "https://colab.research.google.com", "notebook_interface": "classic"},
    }


def keep_first_line(app, what, name, obj, options, lines):
    """Stop napoleon from reading `word: rest` in a property's docstring as a type.

    Our types stand in annotations. It looks for one in the first line: let that be an empty comment.
    """
    if what in ("attribute", "data", "property"):
        lines[:0] = ["..", ""]


def skip_imported(app, what, name, obj, skip, options):
    """Describe a function where it is defined, not again in each module that imports it."""
    return True if getattr(obj, "imported", False) else None


def keep_mark_with_formula(app, doctree, name):
    """Keep a formula of a sentence and the mark behind it on one line: a browser may break between the two."""
    for formula in list(doctree.findall(nodes.math)):
        after = formula.next_node(descend=False, siblings=True)
        marks = re.match(r"[.,;:!?)\]”’]+", after) if isinstance(after, nodes.Text) else None
        if marks:
            parent, together = formula.parent, nodes.inline(classes=["together"])
            place = parent.index(formula)  # not that of the text: `replace` would take the first text of the same words
            parent[place + 1] = nodes.Text(after[marks.end() :])
            parent[place] = together
            together += [formula, nodes.Text(marks[0])]


def setup(app):
    """Register the directives and roles."""
    app.connect("config-inited", link_repository)
    app.connect("autodoc-process-docstring", keep_first_line, priority=400)  # napoleon has 500
    app.connect("autodoc-skip-member", skip_imported)
    app.connect("doctree-resolved", keep_mark_with_formula)
    lectures.setup(app)
    results.setup(app)
    poll.setup(app)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
