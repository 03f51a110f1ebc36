# No account and no network: the provider is mocked. What it would compute has the form that Azure gives it.
mock_provider "azurerm" {
  override_during = plan # Terraform 1.11

  mock_data "azurerm_client_config" {
    defaults = { subscription_id = "12345678-1234-1234-1234-123456789abc" }
  }
  mock_resource "azurerm_user_assigned_identity" {
    defaults = {
      id           = "/subscriptions/12345678-1234-1234-1234-123456789abc/resourceGroups/fileloft/providers/Microsoft.ManagedIdentity/userAssignedIdentities/fileloft"
      client_id    = "11111111-1111-1111-1111-111111111111"
      principal_id = "22222222-2222-2222-2222-222222222222"
    }
  }
  mock_resource "azurerm_function_app_flex_consumption" {
    defaults = { default_hostname = "fileloft-01234567.azurewebsites.net" }
  }
  mock_resource "azurerm_linux_function_app" {
    defaults = { default_hostname = "fileloft-01234567.azurewebsites.net" }
  }
  mock_resource "azurerm_application_insights" {
    defaults = {
      id                = "/subscriptions/12345678-1234-1234-1234-123456789abc/resourceGroups/fileloft/providers/Microsoft.Insights/components/fileloft"
      connection_string = "InstrumentationKey=00000000-0000-0000-0000-000000000000"
    }
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
  values = {
    id                    = "/subscriptions/12345678-1234-1234-1234-123456789abc/resourceGroups/fileloft/providers/Microsoft.Storage/storageAccounts/host"
    primary_blob_endpoint = "https://host.blob.core.windows.net/"
    primary_access_key    = "key-of-host"
  }
}

# Any file will do for a zip here.
variables {
  location = "westeurope"
  package  = "versions.tf"
}

run "one_app_with_what_it_may_do_and_its_alerts" {
  command = plan
  assert {
    condition = [for a in azurerm_function_app_flex_consumption.this : [
      a.runtime_name, a.runtime_version, a.instance_memory_in_mb, a.maximum_instance_count, a.http_concurrency, length(a.always_ready),
    ]] == [["custom", "1.0", 2048, 20, 16, 0]]
    error_message = "The function app is another, or of another size."
  }
  assert {
    condition     = azurerm_service_plan.this.sku_name == "FC1" && azurerm_service_plan.this.os_type == "Linux" && length(azurerm_linux_function_app.this) == 0
    error_message = "The plan is another."
  }
  assert {
    condition     = [for a in azurerm_function_app_flex_consumption.this : [a.https_only, a.public_network_access_enabled, a.virtual_network_subnet_id == null, a.webdeploy_publish_basic_authentication_enabled]] == [[true, true, true, false]]
    error_message = "The ways in are others."
  }
  assert {
    condition     = [for s in azurerm_function_app_flex_consumption.this[0].site_config : [s.minimum_tls_version, s.scm_minimum_tls_version, s.http2_enabled, one(s.cors[0].allowed_origins), s.cors[0].support_credentials, s.application_insights_connection_string]] == [["1.2", "1.2", true, "*", false, "InstrumentationKey=00000000-0000-0000-0000-000000000000"]]
    error_message = "The host answers preflights with nothing, speaks another protocol, or keeps no logs."
  }
  assert {
    condition     = [for a in azurerm_function_app_flex_consumption.this : [a.storage_container_type, a.storage_container_endpoint, a.storage_authentication_type, a.storage_access_key == null, a.storage_user_assigned_identity_id]] == [["blobContainer", "https://host.blob.core.windows.net/packages", "UserAssignedIdentity", true, azurerm_user_assigned_identity.this.id]]
    error_message = "The package is elsewhere, or somebody else reads it."
  }
  assert {
    condition     = [for a in azurerm_function_app_flex_consumption.this : [a.identity[0].type, one(a.identity[0].identity_ids)]] == [["UserAssigned", azurerm_user_assigned_identity.this.id]]
    error_message = "The function app acts as somebody else."
  }
  assert {
    condition = azurerm_function_app_flex_consumption.this[0].app_settings == tomap({
      FILELOFT_AZURE_ACCOUNT           = azurerm_storage_account.data.name
      FILELOFT_AZURE_CONTAINER         = "uploads"
      FILELOFT_AZURE_TABLE             = "fileloft"
      FILELOFT_BASE_PATH               = "/files/"
      FILELOFT_MAX_SIZE                = "10GiB"
      FILELOFT_ENABLE_EXPIRATION       = "true"
      FILELOFT_EXPIRATION_TTL          = "86400"
      FILELOFT_ENABLE_DOWNLOAD         = "false"
      FILELOFT_ENABLE_CONCATENATION    = "false"
      FILELOFT_CORS_ALLOW_ORIGIN       = "*"
      FILELOFT_LOG_LEVEL               = "info"
      AZURE_CLIENT_ID                  = "11111111-1111-1111-1111-111111111111"
      AzureWebJobsStorage              = ""
      AzureWebJobsStorage__accountName = azurerm_storage_account.host.name
      AzureWebJobsStorage__credential  = "managedidentity"
      AzureWebJobsStorage__clientId    = "11111111-1111-1111-1111-111111111111"
    })
    error_message = "The settings are others: ${jsonencode(azurerm_function_app_flex_consumption.this[0].app_settings)}."
  }
  assert {
    condition     = output.endpoint_url == "https://fileloft-01234567.azurewebsites.net/files/" && output.chunk_size == 16777216 && output.max_chunk_size == 67108864
    error_message = "Clients are told something else."
  }
  assert {
    condition     = can(regex("^fileloft-[0-9a-f]{8}$", output.app_name)) && output.resource_group_name == "fileloft" && output.account_name == azurerm_storage_account.data.name && output.host_account_name == azurerm_storage_account.host.name && output.container_name == "uploads" && output.table_name == "fileloft" && output.identity.principal_id == "22222222-2222-2222-2222-222222222222"
    error_message = "The outputs tell something else."
  }

  # The code.
  assert {
    condition     = terraform_data.code[0].triggers_replace[1] == filesha256("versions.tf")
    error_message = "Another zip would not be deployed."
  }
  assert {
    condition     = output.deploy_command == "az functionapp deployment source config-zip --subscription 12345678-1234-1234-1234-123456789abc --resource-group fileloft --name ${output.app_name} --src '${abspath("versions.tf")}'"
    error_message = "The command is ${output.deploy_command}."
  }

  # What it may do.
  assert {
    condition = { for name, r in azurerm_role_assignment.this : name => [r.role_definition_name, r.scope] } == {
      objects     = ["Storage Blob Data Contributor", "${azurerm_storage_account.data.id}/blobServices/default/containers/uploads"]
      records     = ["Storage Table Data Contributor", "${azurerm_storage_account.data.id}/tableServices/default/tables/fileloft"]
      signer      = ["Storage Blob Delegator", azurerm_storage_account.data.id]
      host_blobs  = ["Storage Blob Data Owner", azurerm_storage_account.host.id]
      host_tables = ["Storage Table Data Contributor", azurerm_storage_account.host.id]
    }
    error_message = "The function app may do something else."
  }
  assert {
    condition     = alltrue([for r in azurerm_role_assignment.this : r.principal_id == "22222222-2222-2222-2222-222222222222" && r.principal_type == "ServicePrincipal"])
    error_message = "Somebody else may do it."
  }

  # The alerts.
  assert {
    condition = { for name, a in azurerm_monitor_scheduled_query_rules_alert_v2.this : name => [a.criteria[0].query, a.criteria[0].threshold, a.criteria[0].failing_periods[0].number_of_evaluation_periods, tolist(a.scopes)] } == {
      endpoint-errors    = ["requests | where name != 'FileloftSweep' and toint(resultCode) >= 500", 4, 3, tolist([azurerm_application_insights.this[0].id])]
      endpoint-throttles = ["requests | where toint(resultCode) == 429", 0, 1, tolist([azurerm_application_insights.this[0].id])]
      sweep-failed       = ["requests | where name == 'FileloftSweep' and success == false", 0, 1, tolist([azurerm_application_insights.this[0].id])]
    }
    error_message = "The alerts watch something else."
  }
  assert {
    condition     = alltrue([for a in azurerm_monitor_scheduled_query_rules_alert_v2.this : length(a.action) == 0])
    error_message = "An alert goes somewhere."
  }
}

run "flex_with_a_key_for_the_host_and_settings_of_ones_own" {
  command = plan
  variables {
    host_key          = true
    deploy_code       = false
    app_name          = "my-uploads"
    memory            = 4096
    concurrency       = 40
    max_instances     = 200
    min_instances     = 2
    base_url          = "https://uploads.example.com"
    base_path         = "/v1/uploads/"
    enable_download   = true
    expiration_days   = 6
    cors_allow_origin = ["https://app.example.com", "https://www.example.org"]
    settings          = { FILELOFT_MAX_METADATA = "4KiB", FILELOFT_CORS_ALLOW_CREDENTIALS = "true" }
    action_groups     = ["/subscriptions/s/resourceGroups/g/providers/Microsoft.Insights/actionGroups/a"]
  }
  assert {
    condition     = [for a in azurerm_function_app_flex_consumption.this : [a.name, a.instance_memory_in_mb, a.maximum_instance_count, a.http_concurrency, a.always_ready[0].name, a.always_ready[0].instance_count]] == [["my-uploads", 4096, 200, 40, "http", 2]]
    error_message = "The function app is of another size."
  }
  assert {
    condition     = [for a in azurerm_function_app_flex_consumption.this : [a.storage_authentication_type, a.storage_access_key, a.storage_user_assigned_identity_id == null]] == [["StorageAccountConnectionString", "key-of-host", true]] && azurerm_storage_account.host.shared_access_key_enabled && !azurerm_storage_account.data.shared_access_key_enabled
    error_message = "The host has no key, or the uploads have one."
  }
  assert {
    condition     = length([for name in keys(azurerm_function_app_flex_consumption.this[0].app_settings) : name if startswith(name, "AzureWebJobsStorage")]) == 0
    error_message = "The key that the provider sets is overwritten."
  }
  assert {
    condition = { for name, value in azurerm_function_app_flex_consumption.this[0].app_settings : name => value if contains([
      "FILELOFT_MAX_METADATA", "FILELOFT_BASE_URL", "FILELOFT_BASE_PATH", "FILELOFT_EXPIRATION_TTL", "FILELOFT_ENABLE_DOWNLOAD", "FILELOFT_CORS_ALLOW_ORIGIN",
      ], name) } == {
      FILELOFT_MAX_METADATA      = "4KiB"
      FILELOFT_BASE_URL          = "https://uploads.example.com"
      FILELOFT_BASE_PATH         = "/v1/uploads/"
      FILELOFT_EXPIRATION_TTL    = "518400"
      FILELOFT_ENABLE_DOWNLOAD   = "true"
      FILELOFT_CORS_ALLOW_ORIGIN = "https://app.example.com,https://www.example.org"
    }
    error_message = "The settings are others."
  }
  assert {
    condition     = [for c in azurerm_function_app_flex_consumption.this[0].site_config[0].cors : [c.allowed_origins, c.support_credentials]] == [[toset(var.cors_allow_origin), true]]
    error_message = "The host answers preflights for others."
  }
  assert {
    condition     = keys(azurerm_role_assignment.this) == ["objects", "records", "signer"]
    error_message = "The function app has roles on an account that it has the key of."
  }
  assert {
    condition     = output.endpoint_url == "https://uploads.example.com/v1/uploads/" && length(terraform_data.code) == 0
    error_message = "Clients are told something else, or the zip is deployed."
  }
  assert {
    condition     = alltrue([for a in azurerm_monitor_scheduled_query_rules_alert_v2.this : one(a.action).action_groups == tolist(var.action_groups)])
    error_message = "Alerts go elsewhere."
  }
}

run "elastic_premium_with_one_warm_instance" {
  command = plan
  variables {
    plan                  = "EP1"
    max_instances         = 30
    public_network_access = false
    application_insights  = false
    cors_allow_origin     = ["https://*.example.org"]
  }
  assert {
    condition     = azurerm_service_plan.this.sku_name == "EP1" && azurerm_service_plan.this.maximum_elastic_worker_count == 30 && length(azurerm_function_app_flex_consumption.this) == 0
    error_message = "The plan is another."
  }
  assert {
    condition     = [for a in azurerm_linux_function_app.this : [a.functions_extension_version, a.https_only, a.public_network_access_enabled, a.builtin_logging_enabled, a.ftp_publish_basic_authentication_enabled, a.webdeploy_publish_basic_authentication_enabled]] == [["~4", true, false, false, false, false]]
    error_message = "The ways in are others."
  }
  assert {
    condition     = [for s in azurerm_linux_function_app.this[0].site_config : [s.application_stack[0].use_custom_runtime, s.app_scale_limit, s.elastic_instance_minimum, s.minimum_tls_version, length(s.cors), s.application_insights_connection_string == null]] == [[true, 30, 1, "1.2", 0, true]]
    error_message = "The function app is another, or the platform answers preflights."
  }
  assert {
    condition     = [for a in azurerm_linux_function_app.this : [a.storage_account_name, a.storage_account_access_key]] == [[azurerm_storage_account.host.name, "key-of-host"]] && azurerm_storage_account.host.shared_access_key_enabled && length(azurerm_storage_container.packages) == 0
    error_message = "The host has no key."
  }
  assert {
    condition     = azurerm_linux_function_app.this[0].app_settings.WEBSITE_RUN_FROM_PACKAGE == "1" && azurerm_linux_function_app.this[0].app_settings.AZURE_CLIENT_ID == "11111111-1111-1111-1111-111111111111" && azurerm_linux_function_app.this[0].app_settings.FILELOFT_AZURE_CONTAINER == "uploads"
    error_message = "The settings are others."
  }
  assert {
    condition     = keys(azurerm_role_assignment.this) == ["objects", "records", "signer"] && output.endpoint_url == "https://fileloft-01234567.azurewebsites.net/files/"
    error_message = "The function app may do something else, or clients are told something else."
  }
  assert {
    condition     = length(azurerm_application_insights.this) + length(azurerm_log_analytics_workspace.this) + length(azurerm_monitor_scheduled_query_rules_alert_v2.this) == 0
    error_message = "There are logs or alerts."
  }
}

run "the_older_consumption" {
  command = plan
  variables {
    plan   = "Y1"
    alerts = false
  }
  assert {
    condition     = azurerm_service_plan.this.sku_name == "Y1" && one(azurerm_linux_function_app.this[0].site_config[0].cors[0].allowed_origins) == "*" && !can(azurerm_linux_function_app.this[0].app_settings.WEBSITE_RUN_FROM_PACKAGE)
    error_message = "The function app is made as for another plan."
  }
  assert {
    condition     = length(azurerm_application_insights.this) == 1 && length(azurerm_monitor_scheduled_query_rules_alert_v2.this) == 0
    error_message = "There are alerts, or no logs."
  }
}

run "bad_functions_are_refused" {
  command = plan
  variables {
    package       = "missing.zip"
    app_name      = "-uploads"
    memory        = 1024
    concurrency   = 1001
    max_instances = 1001
    subnet_id     = "default"
    base_path     = "/admin/files/"
    base_url      = "https://uploads.example.com/"
    log_level     = "loud"

    cors_allow_origin = ["https://*.example.org"]
    settings          = { AZURE_CLIENT_ID = "x" }
  }
  expect_failures = [
    var.package, var.app_name, var.memory, var.concurrency, var.max_instances, var.subnet_id, var.base_path, var.base_url,
    var.log_level, var.settings, var.cors_allow_origin,
  ]
}

run "what_the_older_consumption_cannot_do_is_refused" {
  command = plan
  variables {
    plan          = "Y1"
    min_instances = 1
    subnet_id     = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/v/subnets/n"
  }
  expect_failures = [var.min_instances, var.subnet_id]
}

run "more_instances_kept_than_there_may_be_are_refused" {
  command = plan
  variables {
    min_instances = 21
  }
  expect_failures = [var.min_instances]
}

run "more_instances_than_elastic_premium_has_are_refused" {
  command = plan
  variables {
    plan          = "EP3"
    max_instances = 101
  }
  expect_failures = [var.max_instances]
}

run "a_plan_that_is_none_is_refused" {
  command = plan
  variables {
    plan = "B1"
  }
  expect_failures = [var.plan]
}
