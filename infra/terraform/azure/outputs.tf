output "endpoint_url" {
  description = "Where tus clients upload to."
  value       = "${var.base_url == "" ? "https://${local.app.hostname}" : var.base_url}${var.base_path}"
}

output "chunk_size" {
  description = "Chunk in bytes to set in the client, which sends a whole file at once otherwise."
  value       = 16777216
}

output "max_chunk_size" {
  description = "Largest chunk in bytes that is taken."
  value       = 67108864
}

output "deploy_command" {
  description = "Deploys the zip, where Terraform does not."
  value       = "${local.deploy_command} '${abspath(local.package)}'"
}

output "app_name" {
  description = "The function app."
  value       = local.app.name
}

output "resource_group_name" {
  description = "The resource group of all that is made."
  value       = local.group
}

output "account_name" {
  description = "Storage account of the uploads and their records."
  value       = azurerm_storage_account.data.name
}

output "container_name" {
  description = "Container of the uploads."
  value       = azurerm_storage_container.uploads.name
}

output "table_name" {
  description = "Table of the records."
  value       = azurerm_storage_table.records.name
}

output "host_account_name" {
  description = "Storage account of the Functions host."
  value       = azurerm_storage_account.host.name
}

output "identity" {
  description = "Whom the function app acts as: for roles on more than this."
  value       = { client_id = azurerm_user_assigned_identity.this.client_id, principal_id = azurerm_user_assigned_identity.this.principal_id }
}
