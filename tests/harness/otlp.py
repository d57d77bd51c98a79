# SPDX-License-Identifier: BSD-2-Clause
"""OTLP/JSON log requests, read as strictly as protobuf's JSON mapping and OTLP's deviations from it allow."""
import subprocess
import tempfile
from pathlib import Path

from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory

HERE = Path(__file__).resolve().parent
NANOS = ("timeUnixNano", "observedTimeUnixNano", "intValue")


def request_class():
    with tempfile.NamedTemporaryFile(prefix="upclose-test-") as out:
        subprocess.run(["protoc", f"-I{HERE}", f"--descriptor_set_out={out.name}", HERE / "otlp_logs.proto"], check=True)
        files = descriptor_pb2.FileDescriptorSet.FromString(Path(out.name).read_bytes())
    pool = descriptor_pool.DescriptorPool()
    for f in files.file:
        pool.Add(f)
    return message_factory.MessageFactory(pool).GetPrototype(pool.FindMessageTypeByName("otlp.ExportLogsServiceRequest"))


def check_encoding(value, key=""):
    """What OTLP says beyond protobuf's mapping: lowerCamelCase only, enums as numbers, 64 bits as texts."""
    if isinstance(value, dict):
        for k, v in value.items():
            assert k.isalnum() and k[0].islower(), k
            check_encoding(v, k)
    elif isinstance(value, list):
        for v in value:
            check_encoding(v)
    elif key == "severityNumber":
        assert type(value) is int
    elif key in NANOS:
        assert type(value) is str and str(int(value)) == value


def plain(any_value):
    kind = any_value.WhichOneof("value")
    value = getattr(any_value, kind)
    return [plain(v) for v in value.values] if kind == "array_value" else value


def attributes(owner):
    found = {a.key: plain(a.value) for a in owner.attributes}
    assert len(found) == len(owner.attributes), "a key is there twice"
    return found


def records(obj, cls):
    """[(resource's attributes, record, its attributes)] of a request."""
    check_encoding(obj)
    request = json_format.ParseDict(obj, cls())  # refuses what it does not know
    assert json_format.MessageToDict(request, use_integers_for_enums=True) == obj, "nothing is lost or empty"
    found = []
    for resource_logs in request.resource_logs:
        for scope_logs in resource_logs.scope_logs:
            assert scope_logs.scope.name == "upclose" and scope_logs.scope.version
            found += [(attributes(resource_logs.resource), r, attributes(r)) for r in scope_logs.log_records]
    return found
