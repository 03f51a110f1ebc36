# Who may do what: what the code calls, on this bucket and this database, and no more. Roles are the project's own ones, since the
# predefined ones that cover this (Storage Object User, Cloud Datastore User) may also change metadata and start transactions, which
# nothing here does.

locals {
  roles = {
    # A compose is a create and a get. Without list, Cloud Storage answers 403 in place of 404 for what is not there.
    objects = ["storage.objects.create", "storage.objects.delete", "storage.objects.get", "storage.objects.list"]
    # Google's table of permissions does not name writes that a time is the condition of. The row for those without a condition
    # wants create and update.
    endpoint = ["datastore.entities.create", "datastore.entities.delete", "datastore.entities.get", "datastore.entities.update"]
    # list is for the query of what is due.
    sweeper = [
      "datastore.entities.create", "datastore.entities.delete", "datastore.entities.get", "datastore.entities.list",
      "datastore.entities.update",
    ]
    # The endpoint signs links as itself. Service Account Token Creator could also make tokens.
    signer = ["iam.serviceAccounts.signBlob"]
  }
  role_names = toset(var.enable_download ? ["objects", "endpoint", "sweeper", "signer"] : ["objects", "endpoint", "sweeper"])

  accounts = {
    endpoint  = "Answers tus requests"
    sweeper   = "Removes what has expired and finishes what was cut short"
    scheduler = "Calls the sweeper"
  }
}

resource "google_project_iam_custom_role" "this" {
  for_each = local.role_names

  project     = var.project
  role_id     = "${replace(var.name, "-", "_")}_${each.value}"
  title       = "${var.name} ${each.value}"
  permissions = local.roles[each.value]
  depends_on  = [google_project_service.this]
}

resource "google_service_account" "this" {
  for_each = local.accounts

  project      = var.project
  account_id   = "${var.name}-${each.key}"
  display_name = "${var.name} ${each.key}"
  description  = each.value
  depends_on   = [google_project_service.this]
}

resource "google_storage_bucket_iam_member" "objects" {
  for_each = toset(["endpoint", "sweeper"])

  bucket = google_storage_bucket.objects.name
  role   = google_project_iam_custom_role.this["objects"].name
  member = google_service_account.this[each.value].member
}

# Firestore has no policy of its own: the project's is narrowed down to the database.
resource "google_project_iam_member" "records" {
  for_each = toset(["endpoint", "sweeper"])

  project = var.project
  role    = google_project_iam_custom_role.this[each.value].name
  member  = google_service_account.this[each.value].member
  condition {
    title      = "${var.name}-database"
    expression = "resource.name == \"projects/${var.project}/databases/${var.database}\""
  }
}

resource "google_service_account_iam_member" "signer" {
  count = var.enable_download ? 1 : 0

  service_account_id = google_service_account.this["endpoint"].name
  role               = google_project_iam_custom_role.this["signer"].name
  member             = google_service_account.this["endpoint"].member
}

resource "google_cloud_run_v2_service_iam_member" "endpoint" {
  for_each = toset(var.invokers)

  project  = var.project
  location = var.region
  name     = local.services["endpoint"].name
  role     = "roles/run.invoker"
  member   = each.value
}

resource "google_cloud_run_v2_service_iam_member" "sweeper" {
  project  = var.project
  location = var.region
  name     = local.services["sweeper"].name
  role     = "roles/run.invoker"
  member   = google_service_account.this["scheduler"].member
}
