# Logs, and what they raise an alert on.

resource "azurerm_log_analytics_workspace" "this" {
  count = var.application_insights ? 1 : 0

  resource_group_name = local.group
  location            = var.location
  name                = var.name
  sku                 = "PerGB2018"
  retention_in_days   = var.log_retention_days
  daily_quota_gb      = var.log_daily_gb
  tags                = var.tags
}

resource "azurerm_application_insights" "this" {
  count = var.application_insights ? 1 : 0

  resource_group_name = local.group
  location            = var.location
  name                = var.name
  workspace_id        = azurerm_log_analytics_workspace.this[0].id
  application_type    = "other"
  retention_in_days   = var.log_retention_days
  tags                = var.tags
}

locals {
  # Single 503s belong to the trade: a large blob is being put together, or a store was slow. endpoint-errors says that they go on.
  alerts = var.application_insights && var.alerts ? {
    endpoint-errors = {
      description = "The endpoint answered 5xx at least five times in each of three periods of five minutes. Clients retry; look at its log."
      query       = "requests | where name != 'FileloftSweep' and toint(resultCode) >= 500"
      above       = 4
      frequency   = "PT5M"
      window      = "PT5M"
      periods     = 3
    }
    endpoint-throttles = {
      description = "More requests at once than the instances can serve. Clients that do not retry on 429 give up. Raise max_instances."
      query       = "requests | where toint(resultCode) == 429"
      above       = 0
      frequency   = "PT5M"
      window      = "PT5M"
      periods     = 1
    }
    sweep-failed = {
      description = "A sweep failed. What has expired stays, and is paid for, until one succeeds; look at its log."
      query       = "requests | where name == 'FileloftSweep' and success == false"
      above       = 0
      frequency   = "PT15M"
      window      = "PT1H"
      periods     = 1
    }
  } : {}
}

resource "azurerm_monitor_scheduled_query_rules_alert_v2" "this" {
  for_each = local.alerts

  resource_group_name     = local.group
  location                = var.location
  name                    = "${var.name}-${each.key}"
  description             = each.value.description
  scopes                  = [azurerm_application_insights.this[0].id]
  severity                = 2
  evaluation_frequency    = each.value.frequency
  window_duration         = each.value.window
  auto_mitigation_enabled = true
  tags                    = var.tags

  criteria {
    query                   = each.value.query
    time_aggregation_method = "Count"
    operator                = "GreaterThan"
    threshold               = each.value.above
    failing_periods {
      number_of_evaluation_periods             = each.value.periods
      minimum_failing_periods_to_trigger_alert = each.value.periods
    }
  }
  dynamic "action" {
    for_each = length(var.action_groups) == 0 ? [] : [var.action_groups]
    content {
      action_groups = action.value
    }
  }
}
