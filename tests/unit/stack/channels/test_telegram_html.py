import pytest

from abops.stack.channels.telegram_html import MarkupError, plain_text


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("no markup & an ampersand", "no markup & an ampersand"),
        ("<b>bold <i>both</i></b> plain", "bold both plain"),
        ('<a href="https://ops.example.org/?a=1&amp;b=2">INC-42</a>', "INC-42"),
        ("1 &lt; 2 &amp;&amp; 3 &gt; 2", "1 < 2 && 3 > 2"),
        ('<pre><code class="language-sql">select 1</code></pre>', "select 1"),
        ('<span class="tg-spoiler">secret</span>', "secret"),
        ("<blockquote expandable>long</blockquote>", "long"),
        ("<B>capital</b>", "capital"),
        ("5 > 4", "5 > 4"),
    ],
)
def test_markup_is_taken_out(text: str, plain: str) -> None:
    assert plain == plain_text(text)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("a < b", 'Unsupported start tag "" at byte offset 2'),
        ("<div>x</div>", 'Unsupported start tag "div" at byte offset 0'),
        ("ö<p>", 'Unsupported start tag "p" at byte offset 2'),
        ("<b>x", 'Can\'t find end tag corresponding to start tag "b"'),
        ("x</b>", "Unexpected end tag at byte offset 1"),
        (
            "<b><i>x</b></i>",
            'Unmatched end tag at byte offset 7, expected "</i>", found "</b>"',
        ),
        ("<b>x</b", "Unclosed end tag at byte offset 4"),
        ("cut <b", 'Unclosed start tag "b" at byte offset 4'),
        ("<span>x</span>", 'Tag "span" must have class "tg-spoiler" at byte offset 0'),
    ],
)
def test_broken_markup_is_refused_in_the_server_s_words(text: str, error: str) -> None:
    with pytest.raises(MarkupError) as refused:
        plain_text(text)
    assert error == str(refused.value)
