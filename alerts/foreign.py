"""Every metric that rules ask for and that neither `collectors` nor `instrumentation` name, with who exports it.

Rooms import one way, so what the bus and pricing name stands here again; a test holds it against its owners.
"""

from __future__ import annotations

from typing import Final

# Of touchstone_pricing_calculation_seconds (pricing/workers/conventions.py), in seconds.
CALCULATION_BUCKETS: Final = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 180, 600)
FOREIGN: Final = {
    "services/bus/conventions.py": (
        "touchstone_bus_outbox_pending_messages",
        "touchstone_bus_outbox_oldest_age_seconds",
        "touchstone_bus_held_messages",
        "touchstone_bus_gaps",
    ),
    "pricing/workers/conventions.py": (
        "touchstone_pricing_calculation_seconds",
        "touchstone_pricing_answers_total",
        "touchstone_pricing_refusals_total",
        "touchstone_pricing_children_killed_total",
        "touchstone_pricing_leases_lost_total",
        "touchstone_pricing_waiting_requests",
        "touchstone_pricing_oldest_request_age_seconds",
    ),
    "services/mes/metrics.py": (
        "touchstone_mes_pricing_fallbacks_total",
        "touchstone_mes_vendor_calls_owed",
        "touchstone_mes_vendor_calls_oldest_seconds",
        "touchstone_mes_vendor_feed_age_seconds",
    ),
    "prometheus_client's ProcessCollector, which instrumentation registers": (
        "process_start_time_seconds",
        "process_cpu_seconds_total",
        "process_resident_memory_bytes",
        "process_open_fds",
        "process_max_fds",
    ),
    "Prometheus, for each target": (
        "up",
        "scrape_duration_seconds",
        "scrape_samples_post_metric_relabeling",
    ),
    "Prometheus 2.42, of itself": (
        "prometheus_rule_evaluation_failures_total",
        "prometheus_rule_group_last_duration_seconds",
        "prometheus_rule_group_interval_seconds",
        "prometheus_notifications_alertmanagers_discovered",
        "prometheus_notifications_dropped_total",
        "prometheus_config_last_reload_successful",
        "prometheus_target_scrapes_exceeded_sample_limit_total",
        "prometheus_target_scrapes_sample_duplicate_timestamp_total",
        "prometheus_target_scrapes_sample_out_of_order_total",
        "prometheus_target_scrapes_sample_out_of_bounds_total",
    ),
    "Alertmanager 0.25, of itself": (
        "alertmanager_notifications_failed_total",
        "alertmanager_config_last_reload_successful",
    ),
    "RabbitMQ 3.10, rabbitmq_prometheus, GET /metrics": (
        "rabbitmq_alarms_memory_used_watermark",
        "rabbitmq_alarms_free_disk_space_watermark",
        "rabbitmq_alarms_file_descriptor_limit",
        "rabbitmq_global_messages_redelivered_total",
    ),
    "RabbitMQ 3.10, rabbitmq_prometheus, GET /metrics/detailed": (
        "rabbitmq_detailed_queue_messages",
        "rabbitmq_detailed_queue_messages_ready",
        "rabbitmq_detailed_queue_messages_unacked",
        "rabbitmq_detailed_queue_consumers",
    ),
}
