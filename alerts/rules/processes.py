"""(e) Processes: what is down, what restarts, and what is nearly used up, from `up` and process_* of each target."""

from __future__ import annotations

from typing import Final

from alerts.model import COUNT, SERVICES, Alert, Cause, Edge, Firing, Scene, Severity

GROUP: Final = "processes"
_MUTED: Final = (Cause.MAINTENANCE, Cause.SAME_JOB)
_ONE: Final = {"job": "shop", "instance": "a:8401"}
_OF_ONE: Final = 'job="shop",instance="a:8401"'
_AWAY: Final = (
    Firing(
        "a:8401 of shop cannot be scraped; others of the same job can, or `jobs` in the settings does not name it.",
        _ONE,
    ),
)
_REQUESTS: Final = "http_server_request_duration_seconds_bucket"
_CPU: Final = f"process_cpu_seconds_total{{{_OF_ONE}}}"

ALERTS: Final = (
    Alert(
        name="ServiceDown",
        group=GROUP,
        expr="touchstone:job_expected unless on (job) up == 1",
        for_="2m",
        severity=Severity.PAGE,
        owner=SERVICES,
        summary="{{ $labels.job }} is down",
        description="No instance of {{ $labels.job }} can be scraped: all are down, or none is known any more.",
        dashboard="touchstone-services",
        panel="Up",
        drill="service-down",
        muted_by=(Cause.MAINTENANCE,),
        scenes=(
            Edge(
                {
                    'touchstone:job_expected{job="shop"}': "1",
                    'up{job="shop",instance="a:8401"}': "X",
                    'up{job="shop",instance="b:8401"}': "0",
                    'up{job="crm",instance="a:8402"}': "1",
                },
                quiet=("1",),
                loud="0",
                firing=(
                    Firing(
                        "No instance of shop can be scraped: all are down, or none is known any more.", {"job": "shop"}
                    ),
                ),
            ),
            Scene(
                "its targets vanish from the configuration",
                {'touchstone:job_expected{job="shop"}': "1+0x20", f"up{{{_OF_ONE}}}": "1+0x5 stale"},
                {
                    "7m": (),
                    "8m": (
                        Firing(
                            "No instance of shop can be scraped: all are down, or none is known any more.",
                            {"job": "shop"},
                        ),
                    ),
                },
            ),
        ),
    ),
    Alert(
        name="InstanceDown",
        group=GROUP,
        # Whatever is not up and is not among what ServiceDown tells of: jobs that nobody demands too.
        expr="up == 0 unless on (job) (touchstone:job_expected unless on (job) up == 1)",
        for_="10m",
        severity=Severity.TICKET,
        owner=SERVICES,
        summary="An instance of {{ $labels.job }} is down",
        description=(
            "{{ $labels.instance }} of {{ $labels.job }} cannot be scraped; others of the same job can, "
            "or `jobs` in the settings does not name it."
        ),
        dashboard="touchstone-services",
        panel="Up",
        muted_by=(Cause.MAINTENANCE,),
        scenes=(
            Edge(
                {
                    'touchstone:job_expected{job="shop"}': "1",
                    f"up{{{_OF_ONE}}}": "X",
                    'up{job="shop",instance="b:8401"}': "1",
                    'up{job="crm",instance="c:1"}': "1",
                },
                quiet=("1",),
                loud="0",
                firing=_AWAY,
            ),
            Edge(  # ServiceDown says this
                {
                    'touchstone:job_expected{job="shop"}': "1",
                    f"up{{{_OF_ONE}}}": "X",
                    'up{job="crm",instance="c:1"}': "1",
                },
                quiet=("1",),
                loud="0",
                firing=(),
            ),
            Edge(  # and nobody else says that
                {
                    'touchstone:job_expected{job="crm"}': "1",
                    f"up{{{_OF_ONE}}}": "X",
                    'up{job="crm",instance="c:1"}': "0",
                },
                quiet=("1",),
                loud="0",
                firing=_AWAY,
            ),
        ),
    ),
    Alert(
        name="Restarting",
        group=GROUP,
        expr="changes(process_start_time_seconds[1h]) > 3",
        for_="0s",
        severity=Severity.PAGE,
        owner=SERVICES,
        summary="{{ $labels.job }} starts again and again",
        description=f"{{{{ $labels.instance }}}} of {{{{ $labels.job }}}} was started {COUNT} times within an hour.",
        dashboard="touchstone-services",
        panel="Running since",
        muted_by=(Cause.MAINTENANCE,),
        scenes=(
            Scene(
                "three starts within an hour, and a fourth",
                {f"process_start_time_seconds{{{_OF_ONE}}}": "0+0x60 1 2 3+0x5 4+0x60"},
                {
                    "68m": (),
                    "69m": (Firing("a:8401 of shop was started 4 times within an hour.", _ONE),),
                    "120m": (Firing("a:8401 of shop was started 4 times within an hour.", _ONE),),
                    "121m": (),
                },
            ),
        ),
    ),
    Alert(
        name="CpuSaturated",
        group=GROUP,
        # One event loop runs on one core: near 1 it answers nobody in time. The pricing workers are meant to be busy.
        expr='rate(process_cpu_seconds_total{job!="pricing"}[10m]) > 0.9',
        for_="20m",
        severity=Severity.TICKET,
        owner=SERVICES,
        summary="{{ $labels.job }} is short of CPU",
        description="{{ $labels.instance }} of {{ $labels.job }} uses {{ $value | humanizePercentage }} of a core.",
        dashboard="touchstone-services",
        panel="Processor",
        traces=(_REQUESTS,),
        muted_by=_MUTED,
        scenes=(
            Scene(
                "nine tenths of a core are the limit itself",
                {_CPU: "0+54x60"},
                {"60m": ()},
            ),
            Scene(
                "all of a core, for ten minutes and twenty more",
                {_CPU: "0+60x60 3600+0x5", 'process_cpu_seconds_total{job="pricing",instance="p:1"}': "0+60x65"},
                {
                    "29m": (),
                    "30m": (Firing("a:8401 of shop uses 100% of a core.", _ONE),),
                    "60m": (Firing("a:8401 of shop uses 100% of a core.", _ONE),),
                    "61m": (),
                },
            ),
            Scene("a burst of CPU passes", {_CPU: "0+60x15 900+6x60"}, {"26m": (), "36m": (), "60m": ()}),
        ),
    ),
    Alert(
        name="MemoryHigh",
        group=GROUP,
        expr="process_resident_memory_bytes > on () group_left () touchstone:memory_limit:bytes",
        for_="15m",
        severity=Severity.TICKET,
        owner=SERVICES,
        summary="{{ $labels.job }} holds much memory",
        description="{{ $labels.instance }} of {{ $labels.job }} holds {{ $value | humanize1024 }}B of memory.",
        dashboard="touchstone-services",
        panel="Memory",
        muted_by=_MUTED,
        scenes=(
            Edge(
                {f"process_resident_memory_bytes{{{_OF_ONE}}}": "X", "touchstone:memory_limit:bytes": "2147483648"},
                quiet=("2147483648",),
                loud="3221225472",
                firing=(Firing("a:8401 of shop holds 3GiB of memory.", _ONE),),
            ),
        ),
    ),
    Alert(
        name="FilesRunningOut",
        group=GROUP,
        expr="process_open_fds / process_max_fds > 0.8",
        for_="10m",
        severity=Severity.TICKET,
        owner=SERVICES,
        summary="{{ $labels.job }} is short of file descriptors",
        description=(
            "{{ $labels.instance }} of {{ $labels.job }} has opened {{ $value | humanizePercentage }} of "
            "the files it may."
        ),
        dashboard="touchstone-services",
        panel="Open files",
        muted_by=_MUTED,
        scenes=(
            Edge(
                {f"process_open_fds{{{_OF_ONE}}}": "X", f"process_max_fds{{{_OF_ONE}}}": "1000"},
                quiet=("800",),
                loud="810",
                firing=(Firing("a:8401 of shop has opened 81% of the files it may.", _ONE),),
            ),
        ),
    ),
    Alert(
        name="RequestsPiling",
        group=GROUP,
        # Requests that begin faster than they end: the event loop, the database or what it calls is stuck.
        expr="sum by (job, instance) (http_server_active_requests) > 50",
        for_="5m",
        severity=Severity.PAGE,
        owner=SERVICES,
        summary="{{ $labels.job }} does not get done with its requests",
        description=f"{{{{ $labels.instance }}}} of {{{{ $labels.job }}}} is answering {COUNT} requests at once.",
        dashboard="touchstone-services",
        panel="Requests under way",
        traces=(_REQUESTS,),
        drill="database-slow",
        muted_by=_MUTED,
        scenes=(
            Edge(
                {
                    f'http_server_active_requests{{{_OF_ONE},method="GET"}}': "X",
                    f'http_server_active_requests{{{_OF_ONE},method="POST"}}': "20",
                    'http_server_active_requests{job="shop",instance="b:8401",method="GET"}': "20",
                },
                quiet=("30",),
                loud="31",
                firing=(Firing("a:8401 of shop is answering 51 requests at once.", _ONE),),
            ),
        ),
    ),
)
