# SPDX-License-Identifier: BSD-2-Clause
"""usage: image.py FOLDER VERSION ARCH=PROGRAM...

An OCI image layout (image-spec 1.0) of the static program and nothing else, for each architecture, under one name:
the layer holds the program, its configuration, and the users that the daemon may become. No daemon is asked, and the
same program gives the same digests; SOURCE_DATE_EPOCH is the only time in it.
"""
import gzip
import hashlib
import io
import json
import os
import sys
import tarfile
from datetime import datetime, timezone
from pathlib import Path

EPOCH = int(os.environ["SOURCE_DATE_EPOCH"])
WHEN = datetime.fromtimestamp(EPOCH, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
TOP = Path(__file__).resolve().parents[3]
USERS = {"etc/passwd": b"root:x:0:0::/:/\nupclose:x:65532:65532::/:/\nnobody:x:65534:65534::/:/\n",
         "etc/group": b"root:x:0:\nupclose:x:65532:\nnobody:x:65534:\n"}
LABELS = {
    "org.opencontainers.image.title": "upclose",
    "org.opencontainers.image.description": "tells why nginx's upstream hung up, from the kernel",
    "org.opencontainers.image.licenses": "BSD-2-Clause AND (GPL-2.0-only OR BSD-2-Clause)",
}


class Layout:
    def __init__(self, folder):
        self.folder = Path(folder)
        (self.folder / "blobs/sha256").mkdir(parents=True, exist_ok=True)

    def put(self, data, kind, **more):
        """A blob, and what others say of it."""
        digest = hashlib.sha256(data).hexdigest()
        (self.folder / "blobs/sha256" / digest).write_bytes(data)
        return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": f"sha256:{digest}", "size": len(data), **more}

    def put_json(self, value, kind, **more):
        return self.put(json.dumps(value, sort_keys=True, separators=(",", ":")).encode(), kind, **more)


def layer(program):
    files = {"upclose": (0o755, program), "etc/upclose/upclose.yaml": (0o644, (TOP / "user/share/upclose.yaml").read_bytes())}
    files |= {name: (0o644, data) for name, data in USERS.items()}
    folders = {"etc": 0o755, "etc/upclose": 0o755, "run": 0o755, "tmp": 0o1777, "var": 0o755, "var/lib": 0o755}
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name in sorted(folders | files):
            entry = tarfile.TarInfo(name)
            entry.mtime = EPOCH
            if name in folders:
                entry.type, entry.mode = tarfile.DIRTYPE, folders[name]
                tar.addfile(entry)
            else:
                entry.mode, data = files[name]
                entry.size = len(data)
                tar.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def manifest(layout, version, arch, program):
    tar = layer(Path(program).read_bytes())
    labels = LABELS | {"org.opencontainers.image.version": version, "org.opencontainers.image.created": WHEN}
    config = layout.put_json({
        "architecture": arch, "os": "linux", "created": WHEN,
        "config": {"Entrypoint": ["/upclose"], "Cmd": ["--help"], "Env": ["PATH=/"], "WorkingDir": "/", "Labels": labels},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(tar).hexdigest()}"]},
        "history": [{"created": WHEN, "created_by": "make image"}],
    }, "config.v1+json")
    packed = layout.put(gzip.compress(tar, 9, mtime=0), "layer.v1.tar+gzip")
    return layout.put_json({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": config,
                            "layers": [packed], "annotations": labels}, "manifest.v1+json",
                           platform={"architecture": arch, "os": "linux"})


def main(folder, version, *programs):
    layout = Layout(folder)
    manifests = [manifest(layout, version, *p.split("=", 1)) for p in programs]
    index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": manifests}
    named = layout.put_json(index, "index.v1+json", annotations={"org.opencontainers.image.ref.name": version})
    (layout.folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [named]}), encoding="ascii")
    (layout.folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}', encoding="ascii")


if __name__ == "__main__":
    main(*sys.argv[1:])
