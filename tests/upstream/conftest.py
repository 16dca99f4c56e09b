"""An exporter and the upstreams that it asks, over real sockets."""

from tests.desk import authority, ca_file, desk, no_names, plain_environment, tls, upstream, waiting

__all__ = ["authority", "ca_file", "desk", "no_names", "plain_environment", "tls", "upstream", "waiting"]
