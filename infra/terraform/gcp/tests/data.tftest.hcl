# No account and no network: the provider is mocked. What it would compute is a random word, another one for each.
mock_provider "google" {
  override_during = plan # Terraform 1.11
}

# Any file will do for a zip here.
variables {
  project = "my-project"
  region  = "europe-west3"
  package = "versions.tf"
}

run "the_bucket_is_private_and_the_collection_as_firestorestate_wants_it" {
  command = plan
  assert {
    condition     = google_storage_bucket.objects.name == "my-project-fileloft" && google_storage_bucket.objects.location == "europe-west3" && google_storage_bucket.objects.storage_class == "STANDARD"
    error_message = "The bucket is another one."
  }
  assert {
    condition     = google_storage_bucket.objects.uniform_bucket_level_access && google_storage_bucket.objects.public_access_prevention == "enforced" && !google_storage_bucket.objects.force_destroy
    error_message = "The bucket can be public, or goes with terraform destroy."
  }
  assert {
    condition     = google_storage_bucket.objects.soft_delete_policy[0].retention_duration_seconds == 0 && !google_storage_bucket.objects.versioning[0].enabled
    error_message = "The bucket keeps every piece."
  }
  assert {
    condition     = [for r in google_storage_bucket.objects.lifecycle_rule : [one(r.action).type, one(r.condition).age, one(r.condition).matches_prefix]] == [["Delete", 31, tolist([".fileloft/"])]]
    error_message = "The net is another."
  }
  assert {
    condition     = length(google_storage_bucket.objects.encryption) == 0
    error_message = "There is a key."
  }
  assert {
    condition = [for d in google_firestore_database.records : [d.name, d.location_id, d.type, d.database_edition, d.delete_protection_state, d.point_in_time_recovery_enablement]] == [[
      "fileloft", "europe-west3", "FIRESTORE_NATIVE", "STANDARD", "DELETE_PROTECTION_ENABLED", "POINT_IN_TIME_RECOVERY_ENABLED",
    ]]
    error_message = "The database is another, or not protected."
  }
  assert {
    condition     = { for name, f in google_firestore_field.this : name => [f.database, f.collection, length(f.index_config), length(f.index_config[0].indexes), length(f.ttl_config)] } == { for name, ttl in { record = 0, shard = 0, bucket = 0, expireAt = 1 } : name => ["fileloft", "fileloft", 1, 0, ttl] }
    error_message = "A field has an index of its own, or the policy is on another."
  }
  assert {
    condition     = google_firestore_index.due.collection == "fileloft" && google_firestore_index.due.query_scope == "COLLECTION" && [for f in google_firestore_index.due.fields : [f.field_path, f.order]] == [["shard", "ASCENDING"], ["bucket", "ASCENDING"]]
    error_message = "The index is another."
  }
}

run "a_key_a_database_that_is_there_and_a_net_of_ones_own" {
  command = plan
  variables {
    bucket_name         = "my-uploads"
    bucket_location     = "EU"
    create_database     = false
    database            = "(default)"
    collection          = "uploads"
    expiration_days     = 14
    piece_days          = 90
    force_destroy       = true
    deletion_protection = false
    kms_key             = "projects/my-project/locations/europe/keyRings/ring/cryptoKeys/key"
  }
  assert {
    condition     = google_storage_bucket.objects.name == "my-uploads" && google_storage_bucket.objects.location == "EU" && google_storage_bucket.objects.force_destroy
    error_message = "The bucket is another one."
  }
  assert {
    condition     = google_storage_bucket.objects.encryption[0].default_kms_key_name == var.kms_key && google_kms_crypto_key_iam_member.objects[0].member == data.google_storage_project_service_account.this[0].member
    error_message = "The bucket is not encrypted with the key, or may not use it."
  }
  assert {
    condition     = [for r in google_storage_bucket.objects.lifecycle_rule : one(r.condition).age] == [90]
    error_message = "The net is not where it was put."
  }
  assert {
    condition     = length(google_firestore_database.records) == 0 && google_firestore_index.due.database == "(default)" && alltrue([for f in google_firestore_field.this : f.database == "(default)" && f.collection == "uploads"])
    error_message = "The database that is there is not set up."
  }
  assert {
    condition     = alltrue([for f in google_cloudfunctions2_function.this : f.service_config[0].environment_variables.FILELOFT_FIRESTORE_DATABASE == "(default)" && f.service_config[0].environment_variables.FILELOFT_FIRESTORE_COLLECTION == "uploads" && f.service_config[0].environment_variables.FILELOFT_EXPIRATION_TTL == "1209600"])
    error_message = "The functions do not know."
  }
  assert {
    condition     = alltrue([for m in google_project_iam_member.records : m.condition[0].expression == "resource.name == \"projects/my-project/databases/(default)\""])
    error_message = "The functions may not use the database."
  }
}

run "bad_data_is_refused" {
  command = plan
  variables {
    name              = "Files"
    platform          = "cloud-run"
    expiration_days   = 7
    piece_days        = 8
    object_prefix     = ".fileloft/"
    max_size          = "10G"
    cors_allow_origin = ["https://app.example.com/"]
    settings          = { FILELOFT_EXPIRATION_TTL = "720h" }
    bucket_name       = "My_Bucket"
    bucket_location   = "EU/1"
    database          = "db"
    database_location = "EU"
    collection        = "a/b"
    kms_key           = "key"
  }
  expect_failures = [
    var.name, var.image, var.piece_days, var.object_prefix, var.max_size, var.cors_allow_origin, var.settings, var.bucket_name,
    var.bucket_location, var.database, var.database_location, var.collection, var.kms_key,
  ]
}
