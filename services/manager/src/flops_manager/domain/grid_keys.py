"""The identities in a project's grids: its certificate authority, and what that signs.

Nothing is stored: every key follows from the installation's secret and names, so that an actor
that is deployed again keeps its identity, and no document has a key in it. An actor gets its own
key only, from which no other can be derived.
"""

import datetime as dt
from base64 import b64encode
from hashlib import sha256
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.x509.oid import NameOID

from flops_contracts.access import GridIdentity
from flops_manager.domain.projects import Project

YEARS: Final = dt.timedelta(days=3650)
SKEW: Final = dt.timedelta(days=1)
"""How far a node's clock may be behind."""


def aggregator_name(project: Project, cluster: str = "") -> str:
    """Return the name in the certificate of the project's aggregator, or of a cluster's."""
    who = f"cluster{sha256(cluster.encode()).hexdigest()[:12]}" if cluster else "aggregator"
    return f"{who}.{project.id}.flops"


def learner_name(project: Project) -> str:
    """Return the name in the certificates of the project's learners."""
    return f"learner.{project.id}.flops"


def identity(secret: str, project: Project, name: str, expects: str) -> GridIdentity:
    """Return the certificates of ``name``, for an actor that dials ``expects``."""
    authority, own = (_key(secret, project, part) for part in ("authority", name))
    key = own.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return GridIdentity(
        certificate=_line(_certificate(project, name, own, authority)),
        key=_line(key),
        ca=_line(_certificate(project, "authority", authority, authority)),
        name=expects,
    )


def _key(secret: str, project: Project, name: str) -> ec.EllipticCurvePrivateKey:
    # 16 bytes more than needed: then the remainder is as good as uniform (FIPS 186-5, A.2.1).
    derived = HKDF(hashes.SHA256(), 48, salt=project.id.encode(), info=name.encode()).derive(
        secret.encode()
    )
    curve = ec.SECP256R1()
    value = int.from_bytes(derived, "big") % (curve.group_order - 1) + 1
    return ec.derive_private_key(value, curve)


def _certificate(
    project: Project,
    name: str,
    key: ec.EllipticCurvePrivateKey,
    authority: ec.EllipticCurvePrivateKey,
) -> bytes:
    issuer = _named(f"authority.{project.id}.flops")
    is_authority = key is authority
    return (
        x509.CertificateBuilder()
        .subject_name(issuer if is_authority else _named(name))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(int.from_bytes(sha256(f"{project.id}/{name}".encode()).digest()[:16], "big"))
        .not_valid_before(project.created_at - SKEW)
        .not_valid_after(project.created_at + YEARS)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(authority, hashes.SHA256(), ecdsa_deterministic=True)
        .public_bytes(serialization.Encoding.PEM)
    )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _line(pem: bytes) -> str:
    return f"pem:{b64encode(pem).decode()}"
