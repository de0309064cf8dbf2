"""Reads reStructuredText with docutils and says what it found, for comparison with our own reader.

    python3 rstReferee.py FOLDER... > found.json

Sphinx is not needed: its roles keep their name and text, and of its directives those that hold ordinary text are read
as such, while the others are opaque. Literal blocks and titles are given as they stand in the source: docutils strips
the markup inside parsed-literal blocks and titles, our reader does not.
"""
import gzip
import json
import pathlib
import sys
import time
import warnings

import docutils.frontend
import docutils.utils
from docutils import nodes
from docutils.parsers.rst import Directive, Parser, directives, roles, states

# Directives of Sphinx and of the kernel's own extensions whose body is ordinary text.
TEXT = {'seealso', 'todo', 'only', 'versionadded', 'versionchanged', 'deprecated', 'kernel-figure'}
TITLED_TEXT = {'flat-table'}
# Known to docutils, but with another meaning in Sphinx or with a body that is no text of the document.
OPAQUE = {'toctree', 'contents', 'index', 'math'}


class AnyOption(dict):
    def __contains__(self, name):
        return True

    def __getitem__(self, name):
        return lambda value: value


class Opaque(Directive):
    has_content = True
    optional_arguments = 100
    final_argument_whitespace = True
    option_spec = AnyOption()

    def run(self):
        return []


class Text(Opaque):
    def run(self):
        body = nodes.container()
        if self.name in TITLED_TEXT and self.arguments:
            body += self.state.inline_text(' '.join(self.arguments), self.lineno)[0]
        self.state.nested_parse(self.content, self.content_offset, body)
        return [body]


def find_directive(name, language, document, known=directives.directive):
    name = name.lower()
    if name in TEXT or name in TITLED_TEXT:
        return Text, []
    if name in OPAQUE:
        return Opaque, []
    found, messages = known(name, language, document)
    return found or Opaque, messages


def find_role(name, language, lineno, reporter, known=roles.role):
    if not name:
        return known(name, language, lineno, reporter)

    def role(_name, rawtext, text, *_rest, **_options):
        return [nodes.inline(rawtext, docutils.utils.unescape(text), kernel_role=name.lower())], []

    return role, []


directives.directive = states.directives.directive = find_directive
roles.role = states.roles.role = find_role


def settings():
    if hasattr(docutils.frontend, 'get_default_settings'):
        made = docutils.frontend.get_default_settings(Parser)
    else:
        made = docutils.frontend.OptionParser(components=(Parser,)).get_default_values()
    made.report_level = made.halt_level = 6
    made.syntax_highlight = 'none'
    made.file_insertion_enabled = False
    return made


def collect(node, level, found):
    for child in node.children:
        if isinstance(child, nodes.literal_block):
            found['blocks'].append(child.rawsource)
            continue
        if isinstance(child, nodes.system_message):
            continue
        if isinstance(child, nodes.section):
            found['sections'].append([level, child.next_node(nodes.title).rawsource])
        elif isinstance(child, nodes.literal):
            found['literals'].append(child.astext())
        elif isinstance(child, nodes.title_reference):
            found['defaultRoles'].append(child.astext())
        elif isinstance(child, nodes.inline) and child.get('kernel_role'):
            found['roles'].append([child['kernel_role'], child.astext()])
        collect(child, level + isinstance(child, nodes.section), found)


def read(path):
    data = path.read_bytes()
    return (gzip.decompress(data) if path.suffix == '.gz' else data).decode('utf8')


def main(folders):
    warnings.simplefilter('ignore')
    files, seconds, size = {}, 0.0, 0
    for folder in folders:
        for path in sorted(p for p in pathlib.Path(folder).rglob('*') if p.name.endswith(('.rst', '.rst.gz'))):
            source = read(path)
            document = docutils.utils.new_document(str(path), settings())
            began = time.perf_counter()
            Parser().parse(source, document)
            seconds += time.perf_counter() - began
            size += len(source.encode('utf8'))
            found = {'sections': [], 'blocks': [], 'literals': [], 'roles': [], 'defaultRoles': []}
            collect(document, 1, found)
            files[str(path)] = found
    json.dump({'docutils': docutils.__version__, 'seconds': seconds, 'bytes': size, 'files': files}, sys.stdout)


main(sys.argv[1:])
