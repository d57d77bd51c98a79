# SPDX-License-Identifier: BSD-2-Clause
"""A certificate that signs itself."""
import subprocess
from pathlib import Path


def certificate(folder):
    """Paths of a certificate and its key, made in this folder."""
    cert, key = Path(folder, "cert.pem"), Path(folder, "key.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=upclose.test",
                    "-days", "2", "-keyout", key, "-out", cert], check=True, capture_output=True)
    return cert, key
