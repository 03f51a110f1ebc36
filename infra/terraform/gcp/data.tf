# The bucket and the database.

locals {
  bucket_name = var.bucket_name == "" ? "${var.project}-${var.name}" : var.bucket_name
  piece_days  = var.piece_days == null ? var.expiration_days + 30 : var.piece_days
}

resource "google_storage_bucket" "objects" {
  project                     = var.project
  name                        = local.bucket_name
  location                    = coalesce(var.bucket_location, var.region)
  storage_class               = "STANDARD" # pieces live for minutes, and the other classes bill a month or more of each
  force_destroy               = var.force_destroy
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  labels                      = var.labels

  # Off: pieces are deleted once they are composed, and by default the bucket would keep, and bill, each of them for a week more:
  # every upload twice, and longer uploads several times. What a client or the sweeper deletes is therefore gone at once.
  soft_delete_policy {
    retention_duration_seconds = 0
  }

  # Off for the same reason. Finished objects are never overwritten: fileloft writes only where there is none.
  versioning {
    enabled = false
  }

  # The net under what the sweeper misses. It must be longer than an upload may last: it takes pieces of uploads in progress too.
  # Sessions that a crash left open need no rule: Cloud Storage ends them after a week and bills nothing for them.
  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      age            = local.piece_days
      matches_prefix = [".fileloft/"]
    }
  }

  dynamic "encryption" {
    for_each = var.kms_key == "" ? [] : [var.kms_key]
    content {
      default_kms_key_name = encryption.value
    }
  }

  depends_on = [google_project_service.this, google_kms_crypto_key_iam_member.objects]
}

# Cloud Storage uses the key itself, by an account of its own.
data "google_storage_project_service_account" "this" {
  count   = var.kms_key == "" ? 0 : 1
  project = var.project
}

resource "google_kms_crypto_key_iam_member" "objects" {
  count         = var.kms_key == "" ? 0 : 1
  crypto_key_id = var.kms_key
  role          = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
  member        = data.google_storage_project_service_account.this[0].member
}

resource "google_firestore_database" "records" {
  count                             = var.create_database ? 1 : 0
  project                           = var.project
  name                              = var.database
  location_id                       = coalesce(var.database_location, var.region)
  type                              = "FIRESTORE_NATIVE"
  database_edition                  = "STANDARD"
  app_engine_integration_mode       = "DISABLED"
  point_in_time_recovery_enablement = "POINT_IN_TIME_RECOVERY_ENABLED"
  delete_protection_state           = var.deletion_protection ? "DELETE_PROTECTION_ENABLED" : "DELETE_PROTECTION_DISABLED"
  deletion_policy                   = "DELETE" # the protection decides
  depends_on                        = [google_project_service.this]
}

# What state/firestorestate wants of the collection, as its CreateIndexes would make it. No field has an index of its own: nothing
# asks for one, and each would be written, and billed, with each PATCH.
resource "google_firestore_field" "this" {
  for_each = toset(["record", "shard", "bucket", "expireAt"])

  project    = var.project
  database   = local.database
  collection = var.collection
  field      = each.value

  index_config {}

  # The net: it takes records away that no sweep has removed.
  dynamic "ttl_config" {
    for_each = each.value == "expireAt" ? [1] : []
    content {}
  }
  depends_on = [google_project_service.this]
}

# What is due. Without it no sweep works.
resource "google_firestore_index" "due" {
  project     = var.project
  database    = local.database
  collection  = var.collection
  query_scope = "COLLECTION"

  fields {
    field_path = "shard"
    order      = "ASCENDING"
  }
  fields {
    field_path = "bucket"
    order      = "ASCENDING"
  }
  depends_on = [google_project_service.this]
}

locals {
  # So that the fields wait for the database, where it is made here.
  database = var.create_database ? google_firestore_database.records[0].name : var.database
}
