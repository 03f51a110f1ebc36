output "endpoint_url" {
  description = "Where tus clients upload to."
  value       = "${var.base_url == "" ? local.services["endpoint"].uri : var.base_url}${var.base_path}"
}

output "chunk_size" {
  description = "Chunk in bytes to set in the client, which sends a whole file at once otherwise: large enough that Firestore's one write a second to a record is not what holds it up."
  value       = var.platform == "function" ? 16777216 : 67108864
}

output "max_chunk_size" {
  description = "Largest chunk in bytes that is taken. Null: any."
  value       = var.platform == "function" ? 33488896 : null
}

output "bucket_name" {
  description = "Finished objects, and pieces of unfinished ones below .fileloft/."
  value       = google_storage_bucket.objects.name
}

output "database_name" {
  description = "Firestore database of the records."
  value       = local.database
}

output "collection_name" {
  description = "Firestore collection of the records."
  value       = var.collection
}

output "service_names" {
  description = "The service that answers requests, and the one that sweeps, as Cloud Run knows them."
  value       = { for role, s in local.services : role => s.name }
}

output "service_accounts" {
  description = "Whom they act as, and who calls the sweeper."
  value       = { for role, a in google_service_account.this : role => a.email }
}
