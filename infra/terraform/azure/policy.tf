# Who may do what. The function app acts as one identity. It is made before the app, so that the roles are there when the app starts.

locals {
  # Scopes of their own, by the form that Azure Resource Manager gives them.
  container_scope = "${azurerm_storage_account.data.id}/blobServices/default/containers/${azurerm_storage_container.uploads.name}"
  table_scope     = "${azurerm_storage_account.data.id}/tableServices/default/tables/${azurerm_storage_table.records.name}"

  roles = merge(
    {
      objects = { role = "Storage Blob Data Contributor", scope = local.container_scope }
      records = { role = "Storage Table Data Contributor", scope = local.table_scope }
      # The key that links are signed with is the account's, so it is asked of the account; what is signed may do no more than the
      # identity may. Not for downloads alone: where blobs are joined within the store, the sources are named by such links.
      signer = { role = "Storage Blob Delegator", scope = azurerm_storage_account.data.id }
    },
    # On its own account the host makes containers, leases blobs as locks for the timer, keeps its keys, and reads the package. Into
    # a table it writes what it has to say of a start that failed.
    local.host_key ? {} : {
      host_blobs  = { role = "Storage Blob Data Owner", scope = azurerm_storage_account.host.id }
      host_tables = { role = "Storage Table Data Contributor", scope = azurerm_storage_account.host.id }
    },
  )
}

resource "azurerm_user_assigned_identity" "this" {
  resource_group_name = local.group
  location            = var.location
  name                = var.name
  tags                = var.tags
}

resource "azurerm_role_assignment" "this" {
  for_each = local.roles

  scope                = each.value.scope
  role_definition_name = each.value.role
  principal_id         = azurerm_user_assigned_identity.this.principal_id
  principal_type       = "ServicePrincipal" # Entra ID may not know it yet
}
