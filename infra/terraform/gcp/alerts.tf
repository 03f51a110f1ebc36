locals {
  alerts = var.alerts ? toset(["endpoint-errors", "endpoint-throttles", "sweep-failed"]) : toset([])

  # Single 503s belong to the trade: a large object is being composed, or a store was slow. endpoint-errors says that they go on.
  thresholds = {
    endpoint-errors = {
      description = "The endpoint answered 5xx at least five times in each of three periods of five minutes. Clients retry; look at its log."
      filter      = "metric.labels.response_code_class = \"5xx\""
      above       = 4
      duration    = "600s"
    }
    endpoint-throttles = {
      description = "More requests at once than the endpoint's instances can serve. Clients that do not retry on 429 give up. Raise max_instances."
      filter      = "metric.labels.response_code = \"429\""
      above       = 0
      duration    = "0s"
    }
  }
}

resource "google_monitoring_alert_policy" "requests" {
  for_each = { for name, t in local.thresholds : name => t if contains(local.alerts, name) }

  project               = var.project
  display_name          = "${var.name}-${each.key}"
  combiner              = "OR"
  notification_channels = var.notification_channels
  user_labels           = var.labels
  documentation {
    content   = each.value.description
    mime_type = "text/markdown"
  }
  conditions {
    display_name = each.key
    condition_threshold {
      filter = join(" AND ", [
        "resource.type = \"cloud_run_revision\"",
        "resource.labels.service_name = \"${local.services["endpoint"].name}\"",
        "metric.type = \"run.googleapis.com/request_count\"",
        each.value.filter,
      ])
      comparison              = "COMPARISON_GT"
      threshold_value         = each.value.above
      duration                = each.value.duration
      evaluation_missing_data = "EVALUATION_MISSING_DATA_INACTIVE"
      aggregations {
        alignment_period     = "300s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
      }
    }
  }
  depends_on = [google_project_service.this]
}

# From the schedule's own log, which also has the sweeps that never reached the sweeper.
resource "google_monitoring_alert_policy" "sweep_failed" {
  for_each = setintersection(local.alerts, ["sweep-failed"])

  project               = var.project
  display_name          = "${var.name}-${each.key}"
  combiner              = "OR"
  notification_channels = var.notification_channels
  user_labels           = var.labels
  documentation {
    content   = "A sweep failed or could not start. What has expired stays, and is paid for, until one succeeds; look at the sweeper's log and at the schedule's."
    mime_type = "text/markdown"
  }
  conditions {
    display_name = each.key
    condition_matched_log {
      filter = join(" AND ", [
        "resource.type = \"cloud_scheduler_job\"",
        "resource.labels.job_id = \"${google_cloud_scheduler_job.sweep.name}\"",
        "severity >= ERROR",
      ])
    }
  }
  alert_strategy {
    auto_close = "86400s"
    notification_rate_limit {
      period = "3600s"
    }
  }
}
