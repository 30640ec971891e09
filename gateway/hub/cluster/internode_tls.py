"""Sets up mutual TLS between the nodes of a RabbitMQ cluster.

The nodes have an authority of their own, `nodes.*` beside the hub's. The hub's authority also certifies homes, and a
client that is accepted here may do anything on every node. So its certificates are not valid between nodes, and the
nodes' certificates are not valid at the boxes' listener. `rabbitmqctl` is a client here and presents the certificate of
its node.
"""

from datetime import datetime, timedelta
from pathlib import Path

from gateway.hub.boxes.authority import AuthorityUnusable
from gateway.system.atomic_file import write_if_changed
from gateway.system.pki.authority import CertificateFiles, CertificatePolicy, issue_server_certificate

NODE_AUTHORITY_NAME = "Perron hub's nodes"
# The operator copies it there, as the node's other files
NODE_AUTHORITY_TERMS = CertificatePolicy(days=365, renew=timedelta(days=90), bound=False, calls=True)
FOLDER = "internode"


def renew_certificate(folder: Path, node: Path, host: str, *, now: datetime) -> None:
    """Renew the certificate with which a node, whose files lie in `node`, identifies itself. `folder` is the hub's."""
    at = folder / "authority"
    shelf = CertificateFiles(
        authority_key=at / "nodes.key", authority=at / "nodes.pem", key=node / FOLDER / "node.key",
        chain=node / FOLDER / "node.pem",
    )  # fmt: skip
    for needed in (at, shelf.chain.parent):
        needed.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        issued = issue_server_certificate(
            shelf, name=NODE_AUTHORITY_NAME, names=(host,), policy=NODE_AUTHORITY_TERMS, now=now
        )
    except ValueError as error:
        raise AuthorityUnusable(f"{at} or {shelf.chain.parent} holds nothing of the nodes': {error}") from error
    write_if_changed(shelf.chain.parent / "authority.pem", issued.pem)
