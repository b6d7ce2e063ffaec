#!/usr/bin/env python3
"""schemas/openapi.yaml as C constants: the JSON that is served, and a page that lists its routes.

usage: openapi.py openapi.yaml openapi_data.c
"""
import html
import json
import sys

import yaml

STYLE = ("body{font:16px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}"
         "code{font-family:monospace}td,th{padding:.2em .8em .2em 0;text-align:left;vertical-align:top}")
METHODS = ("get", "post", "put", "patch", "delete")


def rows_of(api):
    for path, item in api["paths"].items():
        for method in METHODS:
            if method in item:
                yield method.upper(), path, item[method]


def page_of(api):
    """A table of routes and, per route, its answers."""
    out = [f"<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{html.escape(api['info']['title'])}"
           f"</title><style>{STYLE}</style></head><body><h1>{html.escape(api['info']['title'])}</h1>"
           f"<p>{html.escape(api['info']['description'])}</p>"
           "<p>The whole contract: <a href=\"/v1/openapi.json\">/v1/openapi.json</a></p>"]
    for method, path, operation in rows_of(api):
        scope = operation.get("x-scope")
        out.append(f"<h2><code>{method} {html.escape(path)}</code></h2><p>{html.escape(operation['summary'])}"
                   + (f" Scope: <code>{html.escape(scope)}</code>." if scope else " No key is needed.")
                   + "</p><table>")
        for status, answer in operation["responses"].items():
            if "$ref" in answer:
                answer = api["components"]["responses"][answer["$ref"].rsplit("/", 1)[1]]
            out.append(f"<tr><th>{status}</th><td>{html.escape(answer['description'])}</td></tr>")
        out.append("</table>")
    return "".join(out) + "</body></html>\n"


def array(name, text):
    data = text.encode()
    lines = [",".join(str(byte) for byte in data[at:at + 24]) for at in range(0, len(data), 24)]
    return (f"const char {name}[] = {{\n" + ",\n".join(lines) + "\n};\n"
            f"const size_t {name}_len = {len(data)};\n")


def main(source, target):
    with open(source, encoding="utf-8") as file:
        api = yaml.safe_load(file)
    text = json.dumps(api, ensure_ascii=True, separators=(",", ":"))
    with open(target, "w", encoding="utf-8") as file:
        file.write('#include "api/openapi_data.h"\n\n')
        file.write(array("openapi_data_json", text))
        file.write(array("openapi_data_page", page_of(api).encode("ascii", "xmlcharrefreplace").decode()))


main(*sys.argv[1:])
