# Only for a root module: who calls this as a module takes the directory without this file and configures azurerm himself.
provider "azurerm" {
  subscription_id                = var.subscription
  storage_use_azuread            = true # the accounts take no keys
  resource_providers_to_register = var.register_providers ? local.resource_providers : []

  features {
    storage {
      data_plane_available = false # all of it is made through Azure Resource Manager: whoever applies needs no role on the data
    }
    application_insights {
      disable_generated_rule = true # Azure would add an alert of its own, which terraform destroy does not know
    }
  }
}

locals {
  # Version 5 of the provider registers none by itself. Microsoft.App is for subnets of Flex Consumption.
  resource_providers = [
    "Microsoft.App", "Microsoft.Insights", "Microsoft.ManagedIdentity", "Microsoft.OperationalInsights", "Microsoft.Storage", "Microsoft.Web",
  ]
}
