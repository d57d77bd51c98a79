# SPDX-License-Identifier: BSD-2-Clause
"""usage: spdx.py VERSION PROGRAM MAP SOURCES [SYSROOT]

A bill of materials, SPDX 2.3, of the static program: itself and each library that the linker took something of (MAP is
what it wrote of that), with the version of the package it came from; SOURCES has those that were built.
"""
import datetime
import hashlib
import json
import os
import re
import subprocess
import sys
import uuid
from pathlib import Path

# As each declares it; a library that is not here is an error, not an omission.
LICENCES = {
    "cap-ng": "LGPL-2.1-or-later", "curl": "curl", "cyaml": "ISC", "elf": "LGPL-3.0-or-later OR GPL-2.0-or-later",
    "bpf": "LGPL-2.1-only OR BSD-2-Clause", "gmp": "LGPL-3.0-or-later OR GPL-2.0-or-later", "gnutls": "LGPL-2.1-or-later",
    "hogweed": "LGPL-3.0-or-later OR GPL-2.0-or-later", "jansson": "MIT", "microhttpd": "LGPL-2.1-or-later",
    "nettle": "LGPL-3.0-or-later OR GPL-2.0-or-later", "seccomp": "LGPL-2.1-only", "tasn1": "LGPL-2.1-or-later", "yaml": "MIT",
    "z": "Zlib", "c": "LGPL-2.1-or-later", "m": "LGPL-2.1-or-later", "mvec": "LGPL-2.1-or-later", "pthread": "LGPL-2.1-or-later",
    "resolv": "LGPL-2.1-or-later", "gcc": "GPL-3.0-or-later WITH GCC-exception-3.1", "gcc_eh": "GPL-3.0-or-later WITH GCC-exception-3.1",
    "atomic": "GPL-3.0-or-later WITH GCC-exception-3.1",
}
BUILT = {"gnutls": "gnutls28", "curl": "curl"}


def libraries(linker_map):
    """Paths of the archives of libraries that something was taken of."""
    taken = linker_map.partition("Archive member included")[2].partition("\n\n\n")[0]
    return sorted(set(re.findall(r"^(\S*/lib[^/()]+\.a)\(", taken, re.M)))


def unpacked(sysroot):
    """{path: (package, version)} of the archives in the packages that a sysroot was unpacked from."""
    found = {}
    for deb in (Path(sysroot).parent / "apt/cache/archives").glob("*-dev_*.deb") if sysroot else ():
        name, version, _ = deb.name.split("_")
        for line in subprocess.run(["dpkg-deb", "-c", deb], capture_output=True, text=True, check=True).stdout.splitlines():
            path = line.split()[5]
            if path.endswith(".a"):
                found[os.path.realpath(Path(sysroot) / path)] = name, version.replace("%3a", ":")
    return found


def owner(path, sysroot_has):
    """(package, version) of Debian's that a file is of."""
    here = os.path.realpath(path)
    if here in sysroot_has:
        return sysroot_has[here]
    found = subprocess.run(["dpkg-query", "-S", here], capture_output=True, text=True, check=False).stdout
    package = found.partition(": ")[0].split(",")[0]
    if not package:
        return None
    return subprocess.run(["dpkg-query", "-W", "-f", "${Package}\n${Version}", package], capture_output=True, text=True,
                          check=True).stdout.split()


def component(name, package, version, licence):
    return {"SPDXID": f"SPDXRef-{re.sub('[^A-Za-z0-9.-]', '-', name)}", "name": package, "versionInfo": version,
            "downloadLocation": "NOASSERTION", "filesAnalyzed": False, "licenseConcluded": "NOASSERTION",
            "licenseDeclared": licence, "copyrightText": "NOASSERTION"}


def main(version, program, linker_map, sources, sysroot=None):
    built = dict(line.split() for line in Path(sources).read_text(encoding="utf-8").splitlines())
    binary = Path(program).read_bytes()
    digest = hashlib.sha256(binary).hexdigest()
    own = component("upclose", "upclose", version, "BSD-2-Clause AND (GPL-2.0-only OR BSD-2-Clause)")
    own["checksums"] = [{"algorithm": "SHA256", "checksumValue": digest}]
    packages, sysroot_has = [own], unpacked(sysroot)
    for path in libraries(Path(linker_map).read_text(encoding="utf-8", errors="replace")):
        name = Path(path).name[3:-2]
        if "/upclose/static/" in path or name in BUILT and BUILT[name] in built:
            package = BUILT[name], built[BUILT[name]]
        else:
            package = owner(path, sysroot_has)
        if name not in LICENCES or not package:
            sys.exit(f"spdx: {path}: its licence or its package is not known; add it to {__file__}")
        packages.append(component(f"lib{name}", *package, LICENCES[name]))
    when = datetime.datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), datetime.timezone.utc)
    json.dump({
        "spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": f"upclose-{version}",
        "documentNamespace": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, digest)}",
        "creationInfo": {"created": f"{when:%Y-%m-%dT%H:%M:%SZ}", "creators": [f"Tool: upclose-{version}"]},
        "packages": packages,
        "relationships": [{"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES", "relatedSpdxElement": "SPDXRef-upclose"}]
        + [{"spdxElementId": "SPDXRef-upclose", "relationshipType": "STATIC_LINK", "relatedSpdxElement": p["SPDXID"]} for p in packages[1:]],
    }, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main(*sys.argv[1:])
