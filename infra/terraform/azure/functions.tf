# The function app: one custom handler for the endpoint and for the timer that sweeps.

data "azurerm_client_config" "current" {}

locals {
  flex     = var.plan == "FC1"
  host_key = var.host_key || !local.flex # the others keep the package on a file share, which takes nothing else

  default_package = "${path.module}/../../../dist/azure-amd64.zip"
  package         = coalesce(var.package, local.default_package)

  group      = var.create_resource_group ? azurerm_resource_group.this[0].name : local.group_name
  group_name = var.resource_group == "" ? var.name : var.resource_group
  suffix     = substr(sha256("${data.azurerm_client_config.current.subscription_id}/${local.group_name}/${var.name}"), 0, 8)
  app_name   = var.app_name == "" ? "${var.name}-${local.suffix}" : var.app_name

  # The largest chunk and the time for a request are in the program, since they are the platform's.
  environment = merge({
    FILELOFT_AZURE_ACCOUNT        = azurerm_storage_account.data.name
    FILELOFT_AZURE_CONTAINER      = azurerm_storage_container.uploads.name
    FILELOFT_AZURE_PREFIX         = var.object_prefix
    FILELOFT_AZURE_TABLE          = azurerm_storage_table.records.name
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

  # Azure's libraries take the identity of this id.
  app_settings = merge(
    { for name, value in local.environment : name => value if value != "" }, # which is the same as not set
    { AZURE_CLIENT_ID = azurerm_user_assigned_identity.this.client_id },
    # The provider would set AzureWebJobsStorage to a connection string with an empty key. It cannot be left out, only overwritten,
    # and since the provider hides it when it reads, each plan wants to change it again.
    local.host_key ? {} : {
      AzureWebJobsStorage              = ""
      AzureWebJobsStorage__accountName = azurerm_storage_account.host.name
      AzureWebJobsStorage__credential  = "managedidentity"
      AzureWebJobsStorage__clientId    = azurerm_user_assigned_identity.this.client_id
    },
    startswith(var.plan, "EP") ? { WEBSITE_RUN_FROM_PACKAGE = "1" } : {},
  )

  # Where the plan scales to zero the host answers preflights itself, also those of origins that nobody has named, and then with
  # nothing. On Elastic Premium it leaves them to the program while it knows no origin.
  preflights = local.flex || var.plan == "Y1" ? [var.cors_allow_origin] : []

  # Whichever it is.
  app = one(concat(
    [for a in azurerm_function_app_flex_consumption.this : { id = a.id, name = a.name, hostname = a.default_hostname }],
    [for a in azurerm_linux_function_app.this : { id = a.id, name = a.name, hostname = a.default_hostname }],
  ))
  insights = one([for i in azurerm_application_insights.this : i.connection_string])
}

resource "azurerm_resource_group" "this" {
  count = var.create_resource_group ? 1 : 0

  name     = local.group_name
  location = var.location
  tags     = var.tags
}

resource "azurerm_service_plan" "this" {
  resource_group_name          = local.group
  location                     = var.location
  name                         = var.name
  os_type                      = "Linux"
  sku_name                     = var.plan
  maximum_elastic_worker_count = startswith(var.plan, "EP") ? var.max_instances : null
  tags                         = var.tags
}

resource "azurerm_function_app_flex_consumption" "this" {
  count = local.flex ? 1 : 0

  resource_group_name = local.group
  location            = var.location
  name                = local.app_name
  service_plan_id     = azurerm_service_plan.this.id
  tags                = var.tags

  runtime_name           = "custom"
  runtime_version        = "1.0"
  instance_memory_in_mb  = var.memory
  maximum_instance_count = var.max_instances
  http_concurrency       = var.concurrency
  dynamic "always_ready" {
    for_each = var.min_instances == 0 ? [] : [var.min_instances]
    content {
      name           = "http"
      instance_count = always_ready.value
    }
  }

  storage_container_type            = "blobContainer"
  storage_container_endpoint        = "${azurerm_storage_account.host.primary_blob_endpoint}${azurerm_storage_container.packages[0].name}"
  storage_authentication_type       = local.host_key ? "StorageAccountConnectionString" : "UserAssignedIdentity"
  storage_access_key                = local.host_key ? azurerm_storage_account.host.primary_access_key : null
  storage_user_assigned_identity_id = local.host_key ? null : azurerm_user_assigned_identity.this.id
  identity {
    type         = "UserAssigned"
    identity_ids = [azurerm_user_assigned_identity.this.id]
  }

  https_only                                     = true
  public_network_access_enabled                  = var.public_network_access
  virtual_network_subnet_id                      = var.subnet_id == "" ? null : var.subnet_id
  webdeploy_publish_basic_authentication_enabled = false
  app_settings                                   = local.app_settings
  site_config {
    http2_enabled                          = true
    minimum_tls_version                    = "1.2"
    scm_minimum_tls_version                = "1.2"
    application_insights_connection_string = local.insights
    dynamic "cors" {
      for_each = local.preflights
      content {
        allowed_origins     = cors.value
        support_credentials = lookup(var.settings, "FILELOFT_CORS_ALLOW_CREDENTIALS", "false") == "true"
      }
    }
  }

  # An app that may do nothing yet would not start, or would fail its first requests.
  depends_on = [azurerm_role_assignment.this]
}

resource "azurerm_linux_function_app" "this" {
  count = local.flex ? 0 : 1

  resource_group_name = local.group
  location            = var.location
  name                = local.app_name
  service_plan_id     = azurerm_service_plan.this.id
  tags                = var.tags

  functions_extension_version = "~4"
  storage_account_name        = azurerm_storage_account.host.name
  storage_account_access_key  = azurerm_storage_account.host.primary_access_key
  identity {
    type         = "UserAssigned"
    identity_ids = [azurerm_user_assigned_identity.this.id]
  }

  https_only                                     = true
  builtin_logging_enabled                        = false # that would need a key too
  public_network_access_enabled                  = var.public_network_access
  virtual_network_subnet_id                      = var.subnet_id == "" ? null : var.subnet_id
  ftp_publish_basic_authentication_enabled       = false
  webdeploy_publish_basic_authentication_enabled = false
  app_settings                                   = local.app_settings
  site_config {
    application_stack {
      use_custom_runtime = true
    }
    app_scale_limit                        = var.max_instances
    elastic_instance_minimum               = startswith(var.plan, "EP") ? max(1, var.min_instances) : null
    ftps_state                             = "Disabled"
    http2_enabled                          = true
    minimum_tls_version                    = "1.2"
    scm_minimum_tls_version                = "1.2"
    vnet_route_all_enabled                 = var.subnet_id != ""
    application_insights_connection_string = local.insights
    dynamic "cors" {
      for_each = local.preflights
      content {
        allowed_origins     = cors.value
        support_credentials = lookup(var.settings, "FILELOFT_CORS_ALLOW_CREDENTIALS", "false") == "true"
      }
    }
  }

  # On the older Consumption plan the Azure CLI points this at the package that it has uploaded.
  lifecycle {
    ignore_changes = [app_settings["WEBSITE_RUN_FROM_PACKAGE"]]
  }
  depends_on = [azurerm_role_assignment.this]
}

# ---- Code ------------------------------------------------------------------------------------------------------------

locals {
  deploy_command = join(" ", [
    "az functionapp deployment source config-zip --subscription ${data.azurerm_client_config.current.subscription_id}",
    "--resource-group ${local.group} --name ${local.app.name} --src",
  ])
}

# By the Azure CLI: the provider's own zip_deploy_file asks an address that Flex Consumption does not have, and sees no change of a
# file whose name stays. Roles may take minutes until they hold everywhere, and the upload is refused until then.
resource "terraform_data" "code" {
  count = var.deploy_code ? 1 : 0

  triggers_replace = [local.app.id, filesha256(local.package)]
  provisioner "local-exec" {
    command     = "for i in 1 2 3 4 5 6 7 8; do ${local.deploy_command} \"$PACKAGE\" && exit 0; echo 'Refused; the next try is in 30 seconds.'; sleep 30; done; exit 1"
    environment = { PACKAGE = abspath(local.package) }
  }
}
