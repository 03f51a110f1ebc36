# No account and no network: the provider is mocked. What it would compute is a random word, another one for each.
mock_provider "google" {}

# Any file will do for a zip here.
variables {
  project = "my-project"
  region  = "europe-west3"
  package = "versions.tf"
}

run "one_program_twice_with_what_it_may_do_and_its_alerts" {
  command = apply
  assert {
    condition     = output.service_names == { endpoint = "fileloft-endpoint", sweeper = "fileloft-sweeper" } && length(google_cloud_run_v2_service.this) == 0
    error_message = "The services are ${jsonencode(output.service_names)}."
  }
  assert {
    condition     = { for role, f in google_cloudfunctions2_function.this : role => [f.build_config[0].runtime, f.build_config[0].entry_point] } == { endpoint = ["go126", "Fileloft"], sweeper = ["go126", "FileloftSweep"] }
    error_message = "The functions are made of something else."
  }
  assert {
    condition     = alltrue([for f in google_cloudfunctions2_function.this : one(f.build_config[0].source[0].storage_source).object == "gcf-source-${filesha256("versions.tf")}.zip" && one(f.build_config[0].source[0].storage_source).bucket == "my-project-fileloft-source"])
    error_message = "The functions would not notice other sources."
  }
  assert {
    condition = { for role, f in google_cloudfunctions2_function.this : role => [
      f.service_config[0].timeout_seconds, f.service_config[0].max_instance_request_concurrency, f.service_config[0].min_instance_count, f.service_config[0].max_instance_count,
      f.service_config[0].ingress_settings, f.service_config[0].available_memory, f.service_config[0].available_cpu,
    ] } == { endpoint = [300, 16, 0, 20, "ALLOW_ALL", "1Gi", "1"], sweeper = [1800, 1, 0, 2, "ALLOW_INTERNAL_ONLY", "1Gi", "1"] }
    error_message = "Times, sizes or ways in are others."
  }
  assert {
    condition     = alltrue([for role, f in google_cloudfunctions2_function.this : f.service_config[0].service_account_email == google_service_account.this[role].email && f.build_config[0].service_account == google_service_account.builder[0].id])
    error_message = "A function acts as somebody else."
  }
  assert {
    condition = { for role, f in google_cloudfunctions2_function.this : role => f.service_config[0].environment_variables } == { for role, timeout in { endpoint = "300", sweeper = "1740" } : role => tomap({
      FILELOFT_GCS_BUCKET           = "my-project-fileloft"
      FILELOFT_FIRESTORE_PROJECT    = "my-project"
      FILELOFT_FIRESTORE_DATABASE   = "fileloft"
      FILELOFT_FIRESTORE_COLLECTION = "fileloft"
      FILELOFT_BASE_PATH            = "/files/"
      FILELOFT_MAX_SIZE             = "10GiB"
      FILELOFT_ENABLE_EXPIRATION    = "true"
      FILELOFT_EXPIRATION_TTL       = "86400"
      FILELOFT_ENABLE_DOWNLOAD      = "false"
      FILELOFT_ENABLE_CONCATENATION = "false"
      FILELOFT_CORS_ALLOW_ORIGIN    = "*"
      FILELOFT_LOG_LEVEL            = "info"
      FILELOFT_REQUEST_TIMEOUT      = timeout
    }) }
    error_message = "The settings are others: ${jsonencode(google_cloudfunctions2_function.this["endpoint"].service_config[0].environment_variables)}."
  }
  assert {
    condition     = output.endpoint_url == "${google_cloudfunctions2_function.this["endpoint"].service_config[0].uri}/files/" && output.chunk_size == 16777216 && output.max_chunk_size == 33488896
    error_message = "Clients are told something else."
  }
  assert {
    condition     = output.bucket_name == "my-project-fileloft" && output.database_name == "fileloft" && output.collection_name == "fileloft" && keys(output.service_accounts) == ["endpoint", "scheduler", "sweeper"]
    error_message = "The outputs tell something else."
  }

  # What they may do.
  assert {
    condition = jsonencode({ for name, r in google_project_iam_custom_role.this : name => r.permissions }) == jsonencode({
      objects  = ["storage.objects.create", "storage.objects.delete", "storage.objects.get", "storage.objects.list"]
      endpoint = ["datastore.entities.create", "datastore.entities.delete", "datastore.entities.get", "datastore.entities.update"]
      sweeper  = ["datastore.entities.create", "datastore.entities.delete", "datastore.entities.get", "datastore.entities.list", "datastore.entities.update"]
    })
    error_message = "The roles may do ${jsonencode({ for name, r in google_project_iam_custom_role.this : name => r.permissions })}."
  }
  assert {
    condition     = alltrue([for role, m in google_storage_bucket_iam_member.objects : m.bucket == "my-project-fileloft" && m.role == google_project_iam_custom_role.this["objects"].name && m.member == google_service_account.this[role].member])
    error_message = "Somebody else reads and writes objects."
  }
  assert {
    condition     = { for role, m in google_project_iam_member.records : role => [m.role, m.member, m.condition[0].expression] } == { for role in ["endpoint", "sweeper"] : role => [google_project_iam_custom_role.this[role].name, google_service_account.this[role].member, "resource.name == \"projects/my-project/databases/fileloft\""] }
    error_message = "Somebody else reads and writes records, or those of other databases too."
  }
  assert {
    condition     = length(google_service_account_iam_member.signer) == 0
    error_message = "The endpoint may sign, but signs nothing."
  }
  assert {
    condition     = [for m in google_cloud_run_v2_service_iam_member.endpoint : [m.name, m.role, m.member]] == [["fileloft-endpoint", "roles/run.invoker", "allUsers"]]
    error_message = "The endpoint is not open to all."
  }
  assert {
    condition     = google_cloud_run_v2_service_iam_member.sweeper.name == "fileloft-sweeper" && google_cloud_run_v2_service_iam_member.sweeper.role == "roles/run.invoker" && google_cloud_run_v2_service_iam_member.sweeper.member == google_service_account.this["scheduler"].member
    error_message = "Others than the schedule may call the sweeper."
  }
  assert {
    condition     = { for role, m in google_project_iam_member.builder : role => [for c in m.condition : c.expression] } == { "roles/logging.logWriter" = [], "roles/storage.objectViewer" = ["resource.name.startsWith(\"projects/_/buckets/gcf-v2-\")"] }
    error_message = "Who builds may read more than the sources."
  }

  # The schedule.
  assert {
    condition     = google_cloud_scheduler_job.sweep.schedule == "*/10 * * * *" && google_cloud_scheduler_job.sweep.attempt_deadline == "1800s" && google_cloud_scheduler_job.sweep.retry_config[0].retry_count == 0 && google_cloud_scheduler_job.sweep.region == "europe-west3"
    error_message = "Sweeps come at another time, end early, or queue up."
  }
  assert {
    condition = [for h in google_cloud_scheduler_job.sweep.http_target : [h.http_method, h.uri, h.oidc_token[0].audience, h.oidc_token[0].service_account_email]] == [[
      "POST", "${google_cloudfunctions2_function.this["sweeper"].service_config[0].uri}/", google_cloudfunctions2_function.this["sweeper"].service_config[0].uri,
      google_service_account.this["scheduler"].email,
    ]]
    error_message = "Nobody calls the sweeper, or as somebody else."
  }

  # The alerts.
  assert {
    condition     = { for name, p in google_monitoring_alert_policy.requests : name => p.conditions[0].condition_threshold[0].filter } == { for name, last in { endpoint-errors = "metric.labels.response_code_class = \"5xx\"", endpoint-throttles = "metric.labels.response_code = \"429\"" } : name => "resource.type = \"cloud_run_revision\" AND resource.labels.service_name = \"fileloft-endpoint\" AND metric.type = \"run.googleapis.com/request_count\" AND ${last}" }
    error_message = "The alerts watch something else."
  }
  assert {
    condition     = [for p in google_monitoring_alert_policy.sweep_failed : p.conditions[0].condition_matched_log[0].filter] == ["resource.type = \"cloud_scheduler_job\" AND resource.labels.job_id = \"fileloft-sweep\" AND severity >= ERROR"]
    error_message = "A failed sweep raises no alert."
  }
}

run "containers_of_ones_own_settings_and_sizes" {
  command = apply
  variables {
    platform              = "cloud-run"
    package               = null
    image                 = "europe-west3-docker.pkg.dev/my-project/images/fileloft:1.0"
    name                  = "up-loads"
    invokers              = ["group:uploaders@example.com", "serviceAccount:a@my-project.iam.gserviceaccount.com"]
    ingress               = "load-balancer"
    base_url              = "https://uploads.example.com"
    request_timeout       = 3600
    memory                = "2Gi"
    cpu                   = 2
    concurrency           = 80
    min_instances         = 1
    max_instances         = 50
    enable_download       = true
    object_prefix         = "uploads/"
    cors_allow_origin     = ["https://app.example.com", "https://*.example.org"]
    settings              = { FILELOFT_MAX_METADATA = "4KiB" }
    sweep_schedule        = "0 * * * *"
    scheduler_region      = "europe-west1"
    enable_apis           = false
    alerts                = false
    notification_channels = ["projects/my-project/notificationChannels/1"]
  }
  assert {
    condition     = length(google_cloudfunctions2_function.this) + length(google_storage_bucket.source) + length(google_artifact_registry_repository.images) + length(google_service_account.builder) + length(google_project_iam_member.builder) == 0
    error_message = "Something is made that only functions need."
  }
  assert {
    condition = { for role, s in google_cloud_run_v2_service.this : role => [
      s.name, s.ingress, s.template[0].timeout, s.template[0].max_instance_request_concurrency, s.template[0].scaling[0].min_instance_count, s.template[0].scaling[0].max_instance_count,
      s.template[0].containers[0].image, s.template[0].containers[0].ports[0].name, s.template[0].containers[0].resources[0].limits.memory, s.template[0].containers[0].resources[0].limits.cpu,
      ] } == {
      endpoint = ["up-loads-endpoint", "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER", "3600s", 80, 1, 50, var.image, "h2c", "2Gi", "2"]
      sweeper  = ["up-loads-sweeper", "INGRESS_TRAFFIC_INTERNAL_ONLY", "1800s", 1, 0, 2, var.image, "http1", "2Gi", "2"]
    }
    error_message = "The services are made otherwise."
  }
  assert {
    condition = { for role, s in google_cloud_run_v2_service.this : role => { for e in s.template[0].containers[0].env : e.name => e.value if !contains([
      "FILELOFT_FIRESTORE_PROJECT", "FILELOFT_FIRESTORE_DATABASE", "FILELOFT_FIRESTORE_COLLECTION", "FILELOFT_BASE_PATH", "FILELOFT_MAX_SIZE",
      "FILELOFT_ENABLE_EXPIRATION", "FILELOFT_EXPIRATION_TTL", "FILELOFT_ENABLE_CONCATENATION", "FILELOFT_LOG_LEVEL",
      ], e.name) } } == { for role, more in {
      endpoint = { FUNCTION_TARGET = "Fileloft", FILELOFT_REQUEST_TIMEOUT = "3600", FILELOFT_ENABLE_H2C = "true", FILELOFT_SWEEP_INTERVAL = "0", FILELOFT_SHUTDOWN_TIMEOUT = "9" }
      sweeper  = { FUNCTION_TARGET = "FileloftSweep", FILELOFT_REQUEST_TIMEOUT = "1740" }
      } : role => merge(more, {
        FILELOFT_GCS_BUCKET        = "my-project-up-loads"
        FILELOFT_GCS_PREFIX        = "uploads/"
        FILELOFT_BASE_URL          = "https://uploads.example.com"
        FILELOFT_ENABLE_DOWNLOAD   = "true"
        FILELOFT_CORS_ALLOW_ORIGIN = "https://app.example.com,https://*.example.org"
        FILELOFT_MAX_METADATA      = "4KiB"
    }) }
    error_message = "The settings are others."
  }
  assert {
    condition     = alltrue([for role, s in google_cloud_run_v2_service.this : s.template[0].service_account == google_service_account.this[role].email])
    error_message = "A service acts as somebody else."
  }
  assert {
    condition     = [for m in google_service_account_iam_member.signer : [m.service_account_id, m.role, m.member]] == [[google_service_account.this["endpoint"].name, google_project_iam_custom_role.this["signer"].name, google_service_account.this["endpoint"].member]] && google_project_iam_custom_role.this["signer"].permissions == toset(["iam.serviceAccounts.signBlob"]) && google_project_iam_custom_role.this["signer"].role_id == "up_loads_signer"
    error_message = "The endpoint cannot sign links as itself, or may do more."
  }
  assert {
    condition     = toset([for m in google_cloud_run_v2_service_iam_member.endpoint : "${m.name} ${m.member}"]) == toset([for m in var.invokers : "up-loads-endpoint ${m}"])
    error_message = "Others may call the endpoint."
  }
  assert {
    condition     = output.endpoint_url == "https://uploads.example.com/files/" && output.chunk_size == 67108864 && output.max_chunk_size == null
    error_message = "Clients are told something else."
  }
  assert {
    condition     = google_cloud_scheduler_job.sweep.http_target[0].uri == "${google_cloud_run_v2_service.this["sweeper"].uri}/" && google_cloud_scheduler_job.sweep.region == "europe-west1" && google_cloud_scheduler_job.sweep.schedule == "0 * * * *"
    error_message = "The schedule is another."
  }
  assert {
    condition     = length(google_monitoring_alert_policy.requests) + length(google_monitoring_alert_policy.sweep_failed) + length(google_project_service.this) == 0
    error_message = "There are alerts or APIs."
  }
}

run "bad_functions_are_refused" {
  command = plan
  variables {
    package               = "missing.zip"
    project               = "My project"
    region                = "Frankfurt"
    invokers              = ["everybody"]
    ingress               = "internal"
    base_path             = "files"
    base_url              = "https://uploads.example.com/"
    request_timeout       = 3601
    memory                = "256Mi"
    cpu                   = 0.5
    concurrency           = 1001
    min_instances         = 3
    max_instances         = 2
    log_level             = "loud"
    settings              = { GOOGLE_CLOUD_PROJECT = "x" }
    sweep_schedule        = "every 10 minutes"
    scheduler_region      = "EU"
    notification_channels = ["me@example.com"]
  }
  expect_failures = [
    var.package, var.project, var.region, var.invokers, var.ingress, var.base_path, var.base_url, var.request_timeout, var.memory, var.cpu,
    var.concurrency, var.min_instances, var.log_level, var.settings, var.sweep_schedule, var.scheduler_region, var.notification_channels,
  ]
}
