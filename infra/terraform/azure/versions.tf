# fileloft on Azure: a tus endpoint and a sweeper in one function app, records in Table storage, bytes in block blobs. It is a root
# module, run as it is with -var location=..., and without provider.tf a module of yours. docs/azure.md explains it.
terraform {
  required_version = ">= 1.9" # validations that look at other variables

  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = ">= 5.0" # containers and tables by the account's id, through Azure Resource Manager
    }
  }
}
