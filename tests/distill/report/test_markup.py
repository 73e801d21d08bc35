"""What people wrote is text on the page, whatever it looks like."""

from __future__ import annotations

from html.parser import HTMLParser

from distill.report.markup import Html, data_table, element, together


def test_texts_are_escaped_and_elements_are_not() -> None:
    assert element("p", "a < b & ", element("b", '"c"')) == "<p>a &lt; b &amp; <b>&quot;c&quot;</b></p>"
    assert together(["<", Html("<br/>")]) == "&lt;<br/>"


def test_attributes_are_escaped_and_their_names_are_those_of_html() -> None:
    assert element("a", class_="x", stroke_width=2.0, x=1 / 3, title='"><script>') == (
        '<a class="x" stroke-width="2" x="0.3" title="&quot;&gt;&lt;script&gt;"></a>'
    )


def test_large_coordinates_stay_decimal() -> None:
    assert element("i", x=1234567.25) == '<i x="1234567.2"></i>'


def test_characters_that_no_page_can_hold_are_replaced() -> None:
    assert element("p", "a\x00b\ud800c\u0085d\te") == "<p>a\ufffdb\ufffdc\ufffdd\te</p>"


def test_a_script_in_a_cell_is_no_script() -> None:
    seen = []

    class Tags(HTMLParser):
        def handle_starttag(self, tag: str, attrs: object) -> None:
            seen.append(tag)

    Tags().feed(data_table(["<img src=x>"], [["<script>alert(1)</script>"]], "texts"))
    assert seen == ["table", "thead", "tr", "th", "tbody", "tr", "td"]
