"""The count of a page's main line."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent / "book" / "words.py"
spec = importlib.util.spec_from_file_location("book_words", SCRIPT)
book_words = importlib.util.module_from_spec(spec)
spec.loader.exec_module(book_words)

PAGE = """\
---
title: not counted
---
(a-label)=
# One two

Three *four*, [five six](address.md) {cite:p}`seven` – and $x = y + z$ `imtrans.nine`.

$$
not + counted
$$ (eq-label)

| not | counted |
| --- | --- |

```python
not counted
```

```{figure} not-counted.svg
---
name: fig-label
alt: not counted
---
Ten eleven
```

:::{admonition} Twelve
:class: warning
Thirteen

$$ not = counted $$
:::

:::{admonition} Not counted
:class: dropdown
Not counted.
:::

::::{dropdown} Not counted
:name: fold-label
:::{table} not counted
| not | counted |
:::
Not counted.
::::

<details><summary>Not</summary>
counted
</details>

:::{exercise} not counted
Not counted.
:::

Fourteen.
"""


def test_only_the_main_line_is_counted():
    assert book_words.words(PAGE) == 14


@pytest.mark.parametrize("name", ["dropdown", "exercise", "table", "math"])
def test_a_directive_with_the_shorter_fence_inside_a_fold_does_not_end_it(name):
    assert book_words.words(f"::::{{{name}}}\n:::{{note}}\nhidden\n:::\nhidden\n::::\nseen") == 1


def test_the_script_prints_one_line_per_page(tmp_path):
    (tmp_path / "01-one.md").write_text("word " * 3412, encoding="utf-8")
    printed = subprocess.run(
        [sys.executable, SCRIPT, tmp_path / "01-one.md"], capture_output=True, text=True, check=True
    )
    assert printed.stdout == "01-one 3,412\n"
