"""The examples of the documentation, run: what each page shows is what the program says.

`python -m scripts.docs` runs README.md and docs/*.md and names each line that differs; `--write` puts the pages right.
CONTRIBUTING.md says how a page is written.
"""
