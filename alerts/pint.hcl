// What pint asks of the generated rules, without a Prometheus at hand: `touchstone alerts check`.
parser {
  relaxed = []
}

rule {
  match {
    kind = "alerting"
  }

  annotation "summary" {
    required = true
    severity = "bug"
  }

  annotation "description" {
    required = true
    severity = "bug"
  }

  annotation "runbook_url" {
    value    = "(.*/)?docs/runbooks/[a-z-]+[.]md"
    required = true
    severity = "bug"
  }

  annotation "dashboard_url" {
    value    = ".+/d/touchstone-(executive|sales|operations|order|pricing|bus|mes|services|telemetry)([?].*)?"
    required = true
    severity = "bug"
  }

  label "severity" {
    value    = "page|ticket|none"
    required = true
    severity = "bug"
  }
}

// The dead man's switch fires always: that is what it is for.
rule {
  match {
    kind = "alerting"
    name = "Watchdog"
  }

  disable = ["alerts/comparison"]
}
