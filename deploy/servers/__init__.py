"""Real servers on loopback, without systemd or containers: for tests, for fault runs and for one machine's own use.

Each is a context manager that starts its server in a folder of the caller's and leaves nothing running behind it. A
folder that holds data from before is used again. `Absent` is raised where this machine has no such server.
"""

from __future__ import annotations

from deploy.servers.alertmanager import AlertmanagerServer, alertmanager
from deploy.servers.broker import RabbitServer, rabbitmq
from deploy.servers.ports import free_port, free_ports
from deploy.servers.postgresql import PostgresServer, postgres
from deploy.servers.processes import Absent, Server
from deploy.servers.prometheus import PrometheusServer, prometheus
from deploy.servers.proxies import Proxy, Toxiproxy, toxiproxy
from deploy.servers.s3 import S3Server, s3

__all__ = [
    "Absent",
    "AlertmanagerServer",
    "PostgresServer",
    "PrometheusServer",
    "Proxy",
    "RabbitServer",
    "S3Server",
    "Server",
    "Toxiproxy",
    "alertmanager",
    "free_port",
    "free_ports",
    "postgres",
    "prometheus",
    "rabbitmq",
    "s3",
    "toxiproxy",
]
