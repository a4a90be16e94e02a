"""What the book's extension does to formulas in sentences."""

from docutils import nodes

from course import keep_mark_with_formula


def sentence(*parts):
    """A paragraph of text and formulas."""
    return nodes.paragraph("", "", *parts)


def test_a_formula_and_the_mark_behind_it_are_one_box():
    paragraph = sentence(nodes.Text("with "), nodes.math("", "x = 1"), nodes.Text(", and so on"))
    keep_mark_with_formula(None, paragraph, "page")
    before, together, after = paragraph.children
    assert together["classes"] == ["together"]
    assert [type(child) for child in together.children] == [nodes.math, nodes.Text]
    assert (before.astext(), together.astext(), after.astext()) == ("with ", "x = 1,", " and so on")


def test_a_formula_without_a_mark_stays_as_it_is():
    paragraph = sentence(nodes.math("", "x"), nodes.Text(" is a picture, "), nodes.math("", "y"))
    keep_mark_with_formula(None, paragraph, "page")
    assert [type(child) for child in paragraph.children] == [nodes.math, nodes.Text, nodes.math]


def test_every_formula_of_a_list_of_formulas_keeps_its_mark():
    paragraph = sentence(nodes.math("", "x"), nodes.Text(", "), nodes.math("", "y"), nodes.Text("."))
    keep_mark_with_formula(None, paragraph, "page")
    assert paragraph.astext() == "x, y."
    assert [box.astext() for box in paragraph.findall(nodes.inline)] == ["x,", "y."]


def test_an_equal_text_before_the_formula_is_left_alone():
    code = [nodes.literal("", name) for name in "ab"]
    paragraph = sentence(code[0], nodes.Text(", "), nodes.math("", "x"), nodes.Text(", "), code[1])
    keep_mark_with_formula(None, paragraph, "page")
    assert paragraph.astext() == "a, x, b"
