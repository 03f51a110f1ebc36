# No account and no network: the provider is mocked. What it would compute has the form that Azure gives it.
mock_provider "azurerm" {
  override_during = plan # Terraform 1.11

  mock_data "azurerm_client_config" {
    defaults = { subscription_id = "12345678-1234-1234-1234-123456789abc" }
  }
}

override_resource {
  target          = azurerm_storage_account.data
  override_during = plan
  values          = { id = "/subscriptions/12345678-1234-1234-1234-123456789abc/resourceGroups/fileloft/providers/Microsoft.Storage/storageAccounts/data" }
}

override_resource {
  target          = azurerm_storage_account.host
  override_during = plan
  values          = { id = "/subscriptions/12345678-1234-1234-1234-123456789abc/resourceGroups/fileloft/providers/Microsoft.Storage/storageAccounts/host" }
}

# Any file will do for a zip here.
variables {
  location = "westeurope"
  package  = "versions.tf"
}

run "the_account_is_private_and_keeps_nothing_that_was_deleted" {
  command = plan
  assert {
    condition     = alltrue([for a in [azurerm_storage_account.data, azurerm_storage_account.host] : a.min_tls_version == "TLS1_2" && a.https_traffic_only_enabled && !a.allow_nested_items_to_be_public && !a.shared_access_key_enabled && !a.local_user_enabled && !a.cross_tenant_replication_enabled && a.account_kind == "StorageV2"])
    error_message = "An account can be public, or takes something else than identities."
  }
  assert {
    condition     = can(regex("^fileloft[0-9a-f]{8}data$", azurerm_storage_account.data.name)) && azurerm_storage_account.host.name == replace(azurerm_storage_account.data.name, "data", "host")
    error_message = "The accounts are named ${azurerm_storage_account.data.name} and ${azurerm_storage_account.host.name}."
  }
  assert {
    condition     = azurerm_storage_account.data.account_replication_type == "LRS" && azurerm_storage_account.data.access_tier == "Hot" && length(azurerm_storage_account.data.network_rules) == 0
    error_message = "The account of the uploads is another, or closed."
  }
  assert {
    condition     = [for b in azurerm_storage_account.data.blob_properties : [b.versioning_enabled, length(b.delete_retention_policy), b.container_delete_retention_policy[0].days]] == [[false, 0, 7]]
    error_message = "Deleted blobs are kept, or a deleted container is not."
  }
  assert {
    condition     = [for r in azurerm_storage_management_policy.data.rule : [r.name, r.enabled, one(r.filters[0].prefix_match), r.actions[0].base_blob[0].delete_after_days_since_modification_greater_than]] == [["forget-pieces", true, "uploads/.fileloft/", 31]]
    error_message = "The net is another."
  }
  assert {
    condition     = azurerm_storage_container.uploads.name == "uploads" && azurerm_storage_container.uploads.container_access_type == "private" && azurerm_storage_container.uploads.storage_account_id == azurerm_storage_account.data.id
    error_message = "The container is another, or public."
  }
  assert {
    condition     = azurerm_storage_table.records.name == "fileloft" && azurerm_storage_table.records.storage_account_id == azurerm_storage_account.data.id
    error_message = "The table is another."
  }
  assert {
    condition     = azurerm_storage_container.packages[0].container_access_type == "private" && azurerm_storage_container.packages[0].storage_account_id == azurerm_storage_account.host.id
    error_message = "The packages are where the uploads are, or public."
  }
  assert {
    condition     = terraform_data.protection.input
    error_message = "terraform destroy would delete the uploads."
  }
  assert {
    condition     = azurerm_resource_group.this[0].name == "fileloft" && azurerm_resource_group.this[0].location == "westeurope"
    error_message = "The group is another."
  }
}

run "an_account_of_ones_own_behind_a_wall" {
  command = plan
  variables {
    resource_group        = "uploads-rg"
    create_resource_group = false
    name                  = "up-loads"
    account_name          = "myuploads"
    container             = "my-uploads"
    table                 = "Uploads"
    object_prefix         = "in/"
    replication           = "ZRS"
    piece_days            = 90
    soft_delete_days      = 14
    versioning            = true
    deletion_protection   = false
    storage_firewall      = true
    subnet_id             = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/v/subnets/n"
    tags                  = { project = "x" }
  }
  assert {
    condition     = !terraform_data.protection.input
    error_message = "terraform destroy would fail."
  }
  assert {
    condition     = length(azurerm_resource_group.this) == 0 && azurerm_storage_account.data.resource_group_name == "uploads-rg" && output.resource_group_name == "uploads-rg"
    error_message = "A group is made, or another one is used."
  }
  assert {
    condition     = azurerm_storage_account.data.name == "myuploads" && can(regex("^uploads[0-9a-f]{8}host$", azurerm_storage_account.host.name)) && azurerm_storage_account.data.account_replication_type == "ZRS" && azurerm_storage_account.data.tags == tomap({ project = "x" })
    error_message = "The accounts are others."
  }
  assert {
    condition     = [for b in azurerm_storage_account.data.blob_properties : [b.versioning_enabled, b.delete_retention_policy[0].days]] == [[true, 14]]
    error_message = "Nothing is kept."
  }
  assert {
    condition     = [for r in azurerm_storage_account.data.network_rules : [r.default_action, tolist(r.bypass), tolist(r.virtual_network_subnet_ids)]] == [["Deny", tolist(["None"]), tolist([var.subnet_id])]]
    error_message = "Others reach the account."
  }
  assert {
    condition     = length(azurerm_storage_account.host.network_rules) == 0
    error_message = "The platform could not put the package into the host's account."
  }
  assert {
    condition     = { for r in azurerm_storage_management_policy.data.rule : r.name => [one(r.filters[0].prefix_match), length(r.actions[0].base_blob), [for v in r.actions[0].version : v.delete_after_days_since_creation]] } == { forget-pieces = ["my-uploads/.fileloft/", 1, []], forget-versions-of-pieces = ["my-uploads/.fileloft/", 0, [1]], forget-versions = ["my-uploads/", 0, [30]] }
    error_message = "The rules are others: ${jsonencode(azurerm_storage_management_policy.data.rule)}."
  }
  assert {
    condition     = azurerm_storage_management_policy.data.rule[0].actions[0].base_blob[0].delete_after_days_since_modification_greater_than == 90
    error_message = "The net is not where it was put."
  }
  assert {
    condition     = azurerm_function_app_flex_consumption.this[0].app_settings.FILELOFT_AZURE_ACCOUNT == "myuploads" && azurerm_function_app_flex_consumption.this[0].app_settings.FILELOFT_AZURE_CONTAINER == "my-uploads" && azurerm_function_app_flex_consumption.this[0].app_settings.FILELOFT_AZURE_TABLE == "Uploads" && azurerm_function_app_flex_consumption.this[0].app_settings.FILELOFT_AZURE_PREFIX == "in/"
    error_message = "The function app does not know."
  }
  assert {
    condition     = azurerm_function_app_flex_consumption.this[0].virtual_network_subnet_id == var.subnet_id
    error_message = "The function app is outside."
  }
  assert {
    condition     = azurerm_role_assignment.this["objects"].scope == "${azurerm_storage_account.data.id}/blobServices/default/containers/my-uploads" && azurerm_role_assignment.this["records"].scope == "${azurerm_storage_account.data.id}/tableServices/default/tables/Uploads"
    error_message = "The function app may not use them."
  }
}

run "bad_data_is_refused" {
  command = plan
  variables {
    subscription       = "mine"
    location           = "West Europe"
    name               = "Files"
    resource_group     = "group."
    account_name       = "my-uploads"
    replication        = "3"
    container          = "up--loads"
    table              = "up-loads"
    object_prefix      = ".fileloft/"
    max_size           = "10G"
    expiration_days    = 7
    cors_allow_origin  = ["https://app.example.com/"]
    settings           = { FILELOFT_AZURE_CONNECTION_STRING = "AccountKey=x" }
    soft_delete_days   = 366
    storage_firewall   = true
    enable_download    = true
    log_retention_days = 29
    log_daily_gb       = 0
    action_groups      = ["me@example.com"]
  }
  expect_failures = [
    var.subscription, var.location, var.name, var.resource_group, var.account_name, var.replication, var.container, var.table,
    var.object_prefix, var.max_size, var.expiration_days, var.cors_allow_origin, var.settings, var.soft_delete_days, var.storage_firewall, var.log_retention_days, var.log_daily_gb, var.action_groups,
  ]
}

run "a_net_that_comes_too_early_is_refused" {
  command = plan
  variables {
    expiration_days = 5
    piece_days      = 6
  }
  expect_failures = [var.piece_days]
}
