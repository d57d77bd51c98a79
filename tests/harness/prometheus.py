# SPDX-License-Identifier: BSD-2-Clause
"""The real Prometheus and Alertmanager, each with a scratch folder of its own."""
import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import urlopen

from .proc import PREFIX, Child, eventually, free_port


class Server(Child):
    def __init__(self, argv, config, files):
        self.dir = Path(tempfile.mkdtemp(prefix=PREFIX))
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        for name, text in {"config.yml": json.dumps(config), **files}.items():
            (self.dir / name).write_text(text, encoding="utf-8")
        self.log = open(self.dir / "log", "w", encoding="utf-8")
        super().__init__([a.format(dir=self.dir, port=self.port) for a in argv], stdout=self.log, stderr=self.log)
        try:
            eventually(lambda: self.get("/-/ready") is not None or not self.alive(), f"{argv[0]} is ready", 20)
            assert self.alive(), (self.dir / "log").read_text(encoding="utf-8")
        except BaseException:
            self.stop()
            raise

    def get(self, path):
        """The text, or None where there is none (yet)."""
        try:
            with urlopen(self.url + path, timeout=10) as r:
                return r.read().decode()
        except HTTPError as e:
            assert e.code in (404, 503), e.read()
            return None
        except OSError:
            return None

    def stop(self):
        status = super().stop()
        self.log.close()
        shutil.rmtree(self.dir)
        return status


class Alertmanager(Server):
    """Hands on at once what it gets, resolutions too, to a webhook."""

    def __init__(self, webhook, resolve_timeout="5m"):
        config = {
            "global": {"resolve_timeout": resolve_timeout},
            "route": {"receiver": "hook", "group_by": ["..."], "group_wait": "0s", "group_interval": "100ms", "repeat_interval": "1h"},
            "receivers": [{"name": "hook", "webhook_configs": [{"url": webhook, "send_resolved": True}]}],
        }
        super().__init__(["prometheus-alertmanager", "--config.file={dir}/config.yml", "--storage.path={dir}/data",
                          "--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="], config, {})

    def alerts(self, **labels):
        """Those it holds as active."""
        return [a for a in json.loads(self.get("/api/v2/alerts")) if labels.items() <= a["labels"].items()]

    def wait_alert(self, timeout=15, **labels):
        return eventually(lambda: self.alerts(**labels), f"Alertmanager has {labels}", timeout)[0]


class Prometheus(Server):
    def __init__(self, target, rules, alertmanager=None):
        config = {
            "global": {"scrape_interval": "250ms", "evaluation_interval": "250ms"},
            "scrape_configs": [{"job_name": "upclose", "static_configs": [{"targets": [target]}]}],
            "rule_files": ["rules.yml"],
        }
        if alertmanager:
            config["alerting"] = {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{alertmanager.port}"]}]}]}
        super().__init__(["prometheus", "--config.file={dir}/config.yml", "--storage.tsdb.path={dir}/data",
                          "--web.listen-address=127.0.0.1:{port}"], config, {"rules.yml": Path(rules).read_text(encoding="utf-8")})

    def query(self, expr):
        """[(labels, number)]"""
        found = json.loads(self.get(f"/api/v1/query?query={quote(expr)}"))["data"]["result"]
        return [(r["metric"], float(r["value"][1])) for r in found]

    def wait_query(self, expr, timeout=15):
        return eventually(lambda: self.query(expr), f"{expr} has a result", timeout)

    def firing(self):
        alerts = json.loads(self.get("/api/v1/alerts"))["data"]["alerts"]
        return {a["labels"]["alertname"]: a for a in alerts if a["state"] == "firing"}

    def wait_firing(self, name, timeout=20):
        return eventually(lambda: self.firing().get(name), f"{name} fires", timeout)


def promtool(*args):
    """Its output; it has to find everything in order."""
    done = subprocess.run(["promtool", *map(str, args)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
