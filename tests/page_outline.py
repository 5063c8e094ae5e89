"""What a page of HTML holds, for tests of reports."""

import re
from html.parser import HTMLParser


class Outline(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.headings, self.images, self.open = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        if tag == "img":
            self.images.append(dict(attrs))
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag not in ("img", "input", "meta", "wbr"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
