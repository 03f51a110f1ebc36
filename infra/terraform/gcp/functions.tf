# One program as two services, as functions that Google builds or as containers: the endpoint, and the sweeper on a schedule.

locals {
  default_package = "${path.module}/../../../dist/gcf-source.zip"
  package         = coalesce(var.package, local.default_package)

  functions  = { for role, s in local.parts : role => s if var.platform == "function" }
  containers = { for role, s in local.parts : role => s if var.platform == "cloud-run" }

  parts = {
    endpoint = {
      description   = "Answers tus requests"
      target        = "Fileloft"
      timeout       = var.request_timeout
      ends_after    = var.request_timeout # the engine keeps a margin by itself
      concurrency   = var.concurrency
      min_instances = var.min_instances
      max_instances = var.max_instances
    }
    # Composing a large object takes time. The endpoint then answers 503 with Retry-After; here it gets done.
    sweeper = {
      description   = "Removes what has expired and finishes what was cut short"
      target        = "FileloftSweep"
      timeout       = 1800 # what Cloud Scheduler waits for at most
      ends_after    = 1740 # a step that has begun needs time to end, and the report to be sent
      concurrency   = 1
      min_instances = 0
      max_instances = 2 # two sweeps at once are harmless, only not needed
    }
  }

  environment = merge({
    FILELOFT_GCS_BUCKET           = google_storage_bucket.objects.name
    FILELOFT_GCS_PREFIX           = var.object_prefix
    FILELOFT_FIRESTORE_PROJECT    = var.project
    FILELOFT_FIRESTORE_DATABASE   = var.database
    FILELOFT_FIRESTORE_COLLECTION = var.collection
    FILELOFT_BASE_PATH            = var.base_path
    FILELOFT_BASE_URL             = var.base_url
    FILELOFT_MAX_SIZE             = var.max_size
    FILELOFT_ENABLE_EXPIRATION    = "true"
    FILELOFT_EXPIRATION_TTL       = tostring(var.expiration_days * 86400)
    FILELOFT_ENABLE_DOWNLOAD      = tostring(var.enable_download)
    FILELOFT_ENABLE_CONCATENATION = tostring(var.enable_concatenation)
    FILELOFT_CORS_ALLOW_ORIGIN    = join(",", var.cors_allow_origin)
    FILELOFT_LOG_LEVEL            = var.log_level
  }, var.settings)

  # As a container the endpoint serves by itself. It would sweep too, but has a processor while it serves alone; and it must have
  # committed what has arrived within the ten seconds that Cloud Run gives it to stop.
  environments = {
    for role, s in local.parts : role => merge(
      { for name, value in local.environment : name => value if value != "" }, # which is the same as not set
      { FILELOFT_REQUEST_TIMEOUT = tostring(s.ends_after) },
      var.platform == "function" ? {} : { FUNCTION_TARGET = s.target },
      var.platform == "cloud-run" && role == "endpoint" ? {
        FILELOFT_ENABLE_H2C       = "true"
        FILELOFT_SWEEP_INTERVAL   = "0"
        FILELOFT_SHUTDOWN_TIMEOUT = "9"
      } : {},
    )
  }

  # Names and addresses, whichever it is.
  services = merge(
    { for role, f in google_cloudfunctions2_function.this : role => { name = f.name, uri = f.service_config[0].uri } },
    { for role, s in google_cloud_run_v2_service.this : role => { name = s.name, uri = s.uri } },
  )
}

resource "google_project_service" "this" {
  for_each = toset(var.enable_apis ? [
    "artifactregistry.googleapis.com", "cloudbuild.googleapis.com", "cloudfunctions.googleapis.com", "cloudscheduler.googleapis.com",
    "firestore.googleapis.com", "iam.googleapis.com", "iamcredentials.googleapis.com", "monitoring.googleapis.com", "run.googleapis.com",
    "storage.googleapis.com",
  ] : [])

  project            = var.project
  service            = each.value
  disable_on_destroy = false # others may need it
}

# ---- Functions -------------------------------------------------------------------------------------------------------

resource "google_cloudfunctions2_function" "this" {
  for_each = local.functions

  project     = var.project
  location    = var.region
  name        = "${var.name}-${each.key}"
  description = each.value.description
  labels      = var.labels

  build_config {
    runtime           = "go126"
    entry_point       = each.value.target
    service_account   = google_service_account.builder[0].id
    docker_repository = google_artifact_registry_repository.images[0].id
    source {
      storage_source {
        bucket = google_storage_bucket.source[0].name
        object = google_storage_bucket_object.source[0].name
      }
    }
  }

  service_config {
    available_memory                 = var.memory
    available_cpu                    = tostring(var.cpu)
    timeout_seconds                  = each.value.timeout
    max_instance_request_concurrency = each.value.concurrency
    min_instance_count               = each.value.min_instances
    max_instance_count               = each.value.max_instances
    ingress_settings                 = each.key == "sweeper" ? "ALLOW_INTERNAL_ONLY" : (var.ingress == "all" ? "ALLOW_ALL" : "ALLOW_INTERNAL_AND_GCLB")
    service_account_email            = google_service_account.this[each.key].email
    environment_variables            = local.environments[each.key]
  }

  # A revision that may do nothing yet would not start, or would fail its first requests.
  depends_on = [
    google_storage_bucket_iam_member.objects, google_project_iam_member.records, google_storage_bucket_iam_member.builder,
    google_project_iam_member.builder, google_artifact_registry_repository_iam_member.builder,
  ]
}

# Apart from the objects: whoever builds has no business there, and terraform destroy may take it away.
resource "google_storage_bucket" "source" {
  count = var.platform == "function" ? 1 : 0

  project                     = var.project
  name                        = "${var.project}-${var.name}-source"
  location                    = var.region
  force_destroy               = true
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  labels                      = var.labels
  soft_delete_policy {
    retention_duration_seconds = 0
  }
  depends_on = [google_project_service.this]
}

# The name tells the functions whether there is something new to build.
resource "google_storage_bucket_object" "source" {
  count = var.platform == "function" ? 1 : 0

  bucket = google_storage_bucket.source[0].name
  name   = "gcf-source-${filesha256(local.package)}.zip"
  source = local.package
}

resource "google_artifact_registry_repository" "images" {
  count = var.platform == "function" ? 1 : 0

  project       = var.project
  location      = var.region
  repository_id = "${var.name}-images"
  description   = "What Google has built of the functions"
  format        = "DOCKER"
  labels        = var.labels
  cleanup_policies {
    id     = "keep-three"
    action = "KEEP"
    most_recent_versions {
      keep_count = 3
    }
  }
  cleanup_policies {
    id     = "delete-others"
    action = "DELETE"
    condition {
      older_than = "2592000s" # 30 days
    }
  }
  depends_on = [google_project_service.this]
}

# Who builds: the project's default account may be missing, or may do nothing, or everything. It can read the source, where it was
# put and where Cloud Functions puts its copy, write the image, and write its log.
resource "google_service_account" "builder" {
  count = var.platform == "function" ? 1 : 0

  project      = var.project
  account_id   = "${var.name}-builder"
  display_name = "${var.name} builder"
  description  = "Builds the functions"
  depends_on   = [google_project_service.this]
}

resource "google_storage_bucket_iam_member" "builder" {
  count = var.platform == "function" ? 1 : 0

  bucket = google_storage_bucket.source[0].name
  role   = "roles/storage.objectViewer"
  member = google_service_account.builder[0].member
}

resource "google_project_iam_member" "builder" {
  for_each = { for role in ["roles/logging.logWriter", "roles/storage.objectViewer"] : role => role if var.platform == "function" }

  project = var.project
  role    = each.value
  member  = google_service_account.builder[0].member

  dynamic "condition" {
    for_each = each.value == "roles/storage.objectViewer" ? [1] : []
    content {
      title      = "${var.name}-copies-of-sources"
      expression = "resource.name.startsWith(\"projects/_/buckets/gcf-v2-\")"
    }
  }
}

resource "google_artifact_registry_repository_iam_member" "builder" {
  count = var.platform == "function" ? 1 : 0

  project    = var.project
  location   = var.region
  repository = google_artifact_registry_repository.images[0].name
  role       = "roles/artifactregistry.writer"
  member     = google_service_account.builder[0].member
}

# ---- Containers ------------------------------------------------------------------------------------------------------

resource "google_cloud_run_v2_service" "this" {
  for_each = local.containers

  project             = var.project
  location            = var.region
  name                = "${var.name}-${each.key}"
  description         = each.value.description
  ingress             = each.key == "sweeper" ? "INGRESS_TRAFFIC_INTERNAL_ONLY" : (var.ingress == "all" ? "INGRESS_TRAFFIC_ALL" : "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER")
  deletion_protection = false # it holds nothing: bucket and database have protections of their own
  labels              = var.labels

  template {
    service_account                  = google_service_account.this[each.key].email
    timeout                          = "${each.value.timeout}s"
    max_instance_request_concurrency = each.value.concurrency
    scaling {
      min_instance_count = each.value.min_instances
      max_instance_count = each.value.max_instances
    }
    containers {
      image = var.image
      # HTTP/2 to the end: bodies without a limit, that stream.
      ports {
        name           = each.key == "endpoint" ? "h2c" : "http1"
        container_port = 8080
      }
      resources {
        limits            = { cpu = tostring(var.cpu), memory = var.memory }
        cpu_idle          = true # billed while it serves
        startup_cpu_boost = true
      }
      dynamic "env" {
        for_each = local.environments[each.key]
        content {
          name  = env.key
          value = env.value
        }
      }
    }
  }
  depends_on = [google_storage_bucket_iam_member.objects, google_project_iam_member.records]
}

# ---- Schedule --------------------------------------------------------------------------------------------------------

# A sweep that cannot start now is the next one's work: nothing is to queue up.
resource "google_cloud_scheduler_job" "sweep" {
  project          = var.project
  region           = coalesce(var.scheduler_region, var.region)
  name             = "${var.name}-sweep"
  description      = "fileloft's sweep"
  schedule         = var.sweep_schedule
  time_zone        = "Etc/UTC"
  attempt_deadline = "1800s"
  retry_config {
    retry_count = 0
  }
  http_target {
    http_method = "POST"
    uri         = "${local.services["sweeper"].uri}/"
    oidc_token {
      service_account_email = google_service_account.this["scheduler"].email
      audience              = local.services["sweeper"].uri
    }
  }
  depends_on = [google_cloud_run_v2_service_iam_member.sweeper]
}
