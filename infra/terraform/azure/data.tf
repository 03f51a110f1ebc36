# The account of the uploads, with its container and its table, and the account of the Functions host. They are two, since the host
# must own all blobs of its account.

locals {
  piece_days   = var.piece_days == null ? var.expiration_days + 30 : var.piece_days
  pieces       = "${var.container}/.fileloft/"
  account_name = var.account_name == "" ? "${replace(var.name, "-", "")}${local.suffix}data" : var.account_name
}

resource "azurerm_storage_account" "data" {
  resource_group_name = local.group
  location            = var.location
  name                = local.account_name
  tags                = var.tags

  account_kind             = "StorageV2"
  account_tier             = "Standard"
  account_replication_type = var.replication
  access_tier              = "Hot" # pieces live for minutes, and the other tiers bill a month or more of each

  min_tls_version                  = "TLS1_2"
  https_traffic_only_enabled       = true
  allow_nested_items_to_be_public  = false
  shared_access_key_enabled        = false # managed identity alone: links are signed with a key that Entra ID gives out
  default_to_oauth_authentication  = true
  local_user_enabled               = false
  cross_tenant_replication_enabled = false

  blob_properties {
    # Off by default. Finished blobs are never overwritten: fileloft writes only where there is none. What is kept of deleted blobs
    # is paid for, and what a client or the sweeper deletes should be gone.
    versioning_enabled = var.versioning
    dynamic "delete_retention_policy" {
      for_each = var.soft_delete_days == 0 ? [] : [var.soft_delete_days]
      content {
        days = delete_retention_policy.value
      }
    }
    # On: it costs nothing until somebody deletes the container with all that is in it.
    container_delete_retention_policy {
      days = 7
    }
  }

  dynamic "network_rules" {
    for_each = var.storage_firewall ? [var.subnet_id] : []
    content {
      default_action             = "Deny"
      bypass                     = ["None"]
      virtual_network_subnet_ids = [network_rules.value]
    }
  }
}

resource "azurerm_storage_container" "uploads" {
  storage_account_id    = azurerm_storage_account.data.id
  name                  = var.container
  container_access_type = "private"
}

resource "azurerm_storage_table" "records" {
  storage_account_id = azurerm_storage_account.data.id
  name               = var.table
}

# The nets under what the sweeper misses. Blocks that were never committed need none: Azure drops them a week after the last one of
# their blob arrived.
resource "azurerm_storage_management_policy" "data" {
  storage_account_id = azurerm_storage_account.data.id

  # It must be longer than an upload may last: it takes pieces of uploads in progress too.
  rule {
    name    = "forget-pieces"
    enabled = true
    filters {
      blob_types   = ["blockBlob"]
      prefix_match = [local.pieces]
    }
    actions {
      base_blob {
        delete_after_days_since_modification_greater_than = local.piece_days
      }
    }
  }

  # A deleted blob becomes a version, and nobody else would ever delete it. Pieces are worth nothing once they are deleted.
  dynamic "rule" {
    for_each = var.versioning ? { forget-versions-of-pieces = { prefix = local.pieces, days = 1 }, forget-versions = { prefix = "${var.container}/", days = 30 } } : {}
    content {
      name    = rule.key
      enabled = true
      filters {
        blob_types   = ["blockBlob"]
        prefix_match = [rule.value.prefix]
      }
      actions {
        version {
          delete_after_days_since_creation = rule.value.days
        }
      }
    }
  }
}

# What the Functions host keeps: the package, its keys, and the locks that let one instance sweep.
resource "azurerm_storage_account" "host" {
  resource_group_name = local.group
  location            = var.location
  name                = "${replace(var.name, "-", "")}${local.suffix}host"
  tags                = var.tags

  account_kind             = "StorageV2"
  account_tier             = "Standard"
  account_replication_type = "LRS"

  min_tls_version                  = "TLS1_2"
  https_traffic_only_enabled       = true
  allow_nested_items_to_be_public  = false
  shared_access_key_enabled        = local.host_key
  default_to_oauth_authentication  = true
  local_user_enabled               = false
  cross_tenant_replication_enabled = false
}

resource "azurerm_storage_container" "packages" {
  count = local.flex ? 1 : 0

  storage_account_id    = azurerm_storage_account.host.id
  name                  = "packages"
  container_access_type = "private"
}

# Nothing in Azure asks whether an account is empty. This depends on all that matters, so it would be destroyed first, and refuses; also
# where account, container or table would be replaced.
resource "terraform_data" "protection" {
  input            = var.deletion_protection
  triggers_replace = [azurerm_storage_account.data.id, azurerm_storage_container.uploads.id, azurerm_storage_table.records.id]

  provisioner "local-exec" {
    when    = destroy
    command = "test '${self.input}' = false || { echo 'The uploads would be deleted. Apply with deletion_protection = false first.' >&2; exit 1; }"
  }
  depends_on = [
    azurerm_storage_container.uploads, azurerm_storage_table.records, azurerm_storage_management_policy.data, azurerm_role_assignment.this,
    azurerm_function_app_flex_consumption.this, azurerm_linux_function_app.this, terraform_data.code,
    azurerm_monitor_scheduled_query_rules_alert_v2.this,
  ]
}
