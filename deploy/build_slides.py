"""Build the slides of the walkthrough as one file that needs no network: `python deploy/build_slides.py REVEAL FILE`.

REVEAL is the folder of the npm package reveal.js. Its program, its styles and the pictures go into the file. The
libraries that nbconvert would load from the network (require.js, jQuery, MathJax) are left out: the slides do not need
them.
"""

import base64
import re
import sys
from pathlib import Path

from nbconvert import SlidesExporter

ROOT = Path(__file__).parent.parent
NOTEBOOK = ROOT / "notebooks" / "00_walkthrough.ipynb"

STYLE = """
.reveal .slides section { text-align: left; }
.reveal h1, .reveal h2 { text-transform: none; }
.reveal .slides { font-family: "DejaVu Sans", Helvetica, Arial, sans-serif; font-size: 24px; }
.reveal img { display: block; margin: 0.3em auto !important; max-width: 96% !important; max-height: 640px !important; }
.jp-Cell:has(.jp-OutputArea-output img) .jp-Cell-inputWrapper { display: none; }
.jp-InputPrompt, .jp-OutputPrompt { display: none; }
.jp-RenderedHTMLCommon { font-size: 24px; }
:root { --jp-code-font-size: 15px; --jp-code-line-height: 1.25; }
@media print { body.jp-Notebook { position: static; height: auto; overflow: visible; } }
"""

OPTIONS = "width: 1120, height: 760, margin: 0.04, hash: true, slideNumber: 'c/t', plugins: [RevealNotes]"


def build(reveal: Path, target: Path) -> None:
    """Write the slides, and make the folders above the file.

    Args:
        reveal: The folder of the npm package reveal.js.
        target: The file to write.

    Raises:
        OSError: A file cannot be read or written.
        ValueError: The slides would still load something from elsewhere.
    """
    html, _ = SlidesExporter(reveal_url_prefix="reveal").from_filename(str(NOTEBOOK))
    html = re.sub(r"<script[^>]*(?: src=|type=)[^>]*>.*?</script>|<link [^>]*>", "", html, flags=re.DOTALL)
    html = html[: html.rindex("<script>")]  # the last script would load reveal.js from the network
    html = re.sub(r'(?<=<img)([^>]* src=")(?!data:)([^"]*)', _embed, html)
    html = re.sub(r'(?<= href=")(?!#|[a-z]+:)', "../notebooks/", html)
    outside = re.findall(r'<(?:script|link|img)[^>]* (?:src|href)="(?!data:)[^"]*"', html)
    if outside:
        raise ValueError(f"the deck needs {', '.join(outside)} from outside: put it in, or leave it out")
    styles = [_read(reveal / "dist" / name) for name in ("reveal.css", "theme/white.css")]
    styles = [re.sub(r"@import url\([^)]*\);", "", style) for style in styles]  # a font from the network
    html = html.replace("</head>", "".join(f"<style>{each}</style>" for each in (*styles, STYLE)) + "</head>")
    program = "\n".join(_read(reveal / name) for name in ("dist/reveal.js", "plugin/notes/notes.js"))
    html += f"<script>{program}\nReveal.initialize({{{OPTIONS}}});</script></html>\n"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(html, encoding="utf-8")


def _embed(match: re.Match[str]) -> str:
    picture = base64.b64encode((NOTEBOOK.parent / match[2]).read_bytes()).decode()
    return f"{match[1]}data:image/png;base64,{picture}"


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


if __name__ == "__main__":
    build(Path(sys.argv[1]), Path(sys.argv[2]))
