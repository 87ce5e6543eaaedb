# SPDX-License-Identifier: Apache-2.0
"""The certificate as JUnit XML: a suite per configuration, a case per measurand; INCONCLUSIVE is an error, FAIL a failure."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree


def render(data: dict[str, Any]) -> str:
    """XML text of a certificate."""
    root = ElementTree.Element("testsuites", name=f"{data['title']}{' (SIMULATED)' if data['simulated'] else ''}")
    detectors = ElementTree.SubElement(root, "testsuite", name="detectors", tests=str(len(data["detectors"])))
    for d in data["detectors"]:
        case = ElementTree.SubElement(detectors, "testcase", classname="detectors", name=d["fault"])
        if not d["found"]:
            ElementTree.SubElement(case, "failure", message=f"seeded {d['seeded']}, seen {d['seen']}")
    for c in data["configurations"]:
        rows = c["measurands"]
        count = {kind: str(sum(r["verdict"] == kind for r in rows)) for kind in ("FAIL", "INCONCLUSIVE")}
        suite = ElementTree.SubElement(
            root,
            "testsuite",
            name=c["name"],
            tests=str(len(rows)),
            failures=count["FAIL"],
            errors=count["INCONCLUSIVE"],
        )
        for r in rows:
            case = ElementTree.SubElement(suite, "testcase", classname=c["name"], name=r["name"])
            properties = ElementTree.SubElement(case, "properties")
            for key in ("value", "U", "unit", "n", "low", "high", "verdict"):
                ElementTree.SubElement(properties, "property", name=key, value=str(r[key]))
            kind = {"FAIL": "failure", "INCONCLUSIVE": "error", "NO LIMIT": "skipped"}.get(r["verdict"])
            if kind:
                ElementTree.SubElement(case, kind, message=r["why"])
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"
