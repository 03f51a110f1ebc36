variable "subscription" {
  description = "Id of the subscription that all is made in. Null: the one of ARM_SUBSCRIPTION_ID."
  type        = string
  default     = null
  validation {
    condition     = var.subscription == null || can(regex("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", var.subscription))
    error_message = "subscription must be a subscription's id, such as 12345678-1234-1234-1234-123456789abc, or null."
  }
}

variable "location" {
  description = "Region of all that is made."
  type        = string
  validation {
    condition     = can(regex("^[a-z]+[a-z0-9]*$", var.location))
    error_message = "location must be a region's short name, such as westeurope."
  }
}

variable "name" {
  description = "Begins the names of all that is made."
  type        = string
  default     = "fileloft"
  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,10}[a-z0-9])?$", var.name))
    error_message = "name must be 1 to 12 lower-case letters, digits and hyphens, begin with a letter, and not end with a hyphen."
  }
}

variable "resource_group" {
  description = "Name of the resource group. Empty: name."
  type        = string
  default     = ""
  validation {
    condition     = can(regex("^([A-Za-z0-9_()-]([A-Za-z0-9._()-]{0,88}[A-Za-z0-9_()-])?)?$", var.resource_group))
    error_message = "resource_group must be 1 to 90 letters, digits and ._()-, and not begin or end with a dot, or be empty."
  }
}

variable "create_resource_group" {
  description = "Make the resource group. Without, it must be there."
  type        = bool
  default     = true
}

variable "register_providers" {
  description = "Register the resource providers that this needs with the subscription. They stay registered after terraform destroy."
  type        = bool
  default     = true
}

variable "tags" {
  description = "Tags of all that can have them."
  type        = map(string)
  default     = {}
}

# ---- Function app ----------------------------------------------------------------------------------------------------

variable "plan" {
  description = "Hosting plan: FC1 (Flex Consumption), EP1, EP2 or EP3 (Elastic Premium), or Y1 (the older Consumption)."
  type        = string
  default     = "FC1"
  validation {
    condition     = contains(["FC1", "EP1", "EP2", "EP3", "Y1"], var.plan)
    error_message = "plan must be FC1, EP1, EP2, EP3 or Y1."
  }
}

variable "package" {
  description = "The zip that make package has built. Null: the one of this repository."
  type        = string
  default     = null
  validation {
    condition     = try(fileexists(coalesce(var.package, local.default_package)), false)
    error_message = "There is no such zip: run make package in the repository's root first."
  }
}

variable "deploy_code" {
  description = "Deploy the zip with the Azure CLI at the end of each apply that changes it. Without, run the command that the output deploy_command shows."
  type        = bool
  default     = true
}

variable "app_name" {
  description = "Name of the function app, which no other app in the world may have. Empty: name, a hyphen, and eight characters made of subscription, group and name."
  type        = string
  default     = ""
  validation {
    condition     = can(regex("^([A-Za-z0-9][A-Za-z0-9-]{0,30}[A-Za-z0-9])?$", var.app_name))
    error_message = "app_name must be 2 to 32 letters, digits and hyphens, and not begin or end with a hyphen, or be empty."
  }
}

variable "host_key" {
  description = "Give the Functions host the key of its own storage account, in place of the managed identity. Plans other than FC1 take the key in any case. No key opens the account of the uploads."
  type        = bool
  default     = false
}

variable "memory" {
  description = "Memory of each instance in MB, for plan = FC1."
  type        = number
  default     = 2048
  validation {
    condition     = contains([512, 2048, 4096], var.memory)
    error_message = "memory must be 512, 2048 or 4096."
  }
}

variable "concurrency" {
  description = "Requests that one instance serves at once, for plan = FC1."
  type        = number
  default     = 16
  validation {
    condition     = var.concurrency >= 1 && var.concurrency <= 1000 && floor(var.concurrency) == var.concurrency
    error_message = "concurrency must be a whole number from 1 to 1000."
  }
}

variable "max_instances" {
  description = "Instances at most: what limits the price. More requests than they can serve get a 429."
  type        = number
  default     = 20
  validation {
    condition     = var.max_instances >= 1 && var.max_instances <= (var.plan == "FC1" ? 1000 : 100) && floor(var.max_instances) == var.max_instances
    error_message = "max_instances must be a whole number from 1 to 1000, or to 100 for other plans than FC1."
  }
}

variable "min_instances" {
  description = "Instances that are kept, and paid for, without requests. Elastic Premium keeps one in any case, the older Consumption none."
  type        = number
  default     = 0
  validation {
    condition     = var.min_instances >= 0 && var.min_instances <= var.max_instances && floor(var.min_instances) == var.min_instances
    error_message = "min_instances must be a whole number from 0 to max_instances."
  }
  validation {
    condition     = var.plan != "Y1" || var.min_instances == 0
    error_message = "plan = \"Y1\" keeps no instances: min_instances must be 0."
  }
}

variable "public_network_access" {
  description = "Take requests from the internet. Without, only private endpoints of yours lead to the function app, and to its deployment too."
  type        = bool
  default     = true
}

variable "subnet_id" {
  description = "Subnet that the function app reaches others from. Empty: none."
  type        = string
  default     = ""
  validation {
    condition     = can(regex("^(/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft.Network/virtualNetworks/[^/]+/subnets/[^/]+)?$", var.subnet_id))
    error_message = "subnet_id must be like /subscriptions/S/resourceGroups/G/providers/Microsoft.Network/virtualNetworks/V/subnets/N, or empty."
  }
  validation {
    condition     = var.subnet_id == "" || var.plan != "Y1"
    error_message = "plan = \"Y1\" cannot be joined to a network: subnet_id must be empty."
  }
}

variable "base_path" {
  description = "Path under which uploads live."
  type        = string
  default     = "/files/"
  validation {
    condition     = can(regex("^/([A-Za-z0-9._~-]+/)*$", var.base_path)) && !can(regex("^/(admin|runtime)/", var.base_path))
    error_message = "base_path must be a path that begins and ends with a slash, such as /files/. Paths below /admin/ and /runtime/ are the Functions host's."
  }
}

variable "base_url" {
  description = "Public origin, if a domain of yours leads to the endpoint. Empty takes the platform's own."
  type        = string
  default     = ""
  validation {
    condition     = can(regex("^(https://[A-Za-z0-9.-]+(:[0-9]+)?(/[A-Za-z0-9._~-]+)*)?$", var.base_url))
    error_message = "base_url must be an origin without a slash at the end, such as https://uploads.example.com, or empty."
  }
}

# ---- Uploads ---------------------------------------------------------------------------------------------------------

variable "max_size" {
  description = "Largest upload: bytes, or with a unit, 10GiB or 10GB. Empty sets no limit."
  type        = string
  default     = "10GiB"
  validation {
    condition     = can(regex("^([1-9][0-9]*([KMGT]i?B)?)?$", var.max_size))
    error_message = "max_size must be bytes, or a number with a unit such as 10GiB or 10GB, or empty."
  }
}

variable "object_prefix" {
  description = "Put in front of each finished blob's name, such as uploads/."
  type        = string
  default     = ""
  validation {
    condition     = can(regex("^([A-Za-z0-9!_'()-][A-Za-z0-9!_.*'()/-]*)?$", var.object_prefix))
    error_message = "object_prefix must be letters, digits and !_.*'()/-, and must not begin with a dot, a star or a slash: pieces of unfinished uploads lie below .fileloft/."
  }
}

variable "expiration_days" {
  description = "Days after its last progress that an unfinished upload expires."
  type        = number
  default     = 1
  validation {
    condition     = var.expiration_days >= 1 && var.expiration_days <= 6 && floor(var.expiration_days) == var.expiration_days
    error_message = "expiration_days must be a whole number from 1 to 6: Azure drops the blocks of an unfinished blob a week after the last one arrived."
  }
}

variable "piece_days" {
  description = "Days after it was last written that Azure deletes a piece of an unfinished upload, whatever progress the upload makes. Null: expiration_days and 30 more."
  type        = number
  default     = null
  validation {
    condition     = var.piece_days == null || try(var.piece_days > var.expiration_days + 1 && floor(var.piece_days) == var.piece_days, false)
    error_message = "piece_days must be a whole number, and more than a day longer than expiration_days: Azure would take away pieces of uploads that are still going on."
  }
}

variable "enable_download" {
  description = "Answer GET on a finished upload with a redirect to a signed URL."
  type        = bool
  default     = false
}

variable "enable_concatenation" {
  description = "Let clients join partial uploads."
  type        = bool
  default     = false
}

variable "cors_allow_origin" {
  description = "Origins whose pages may upload."
  type        = list(string)
  default     = ["*"]
  validation {
    condition = length(var.cors_allow_origin) > 0 && (
      var.cors_allow_origin == tolist(["*"]) ||
      alltrue([for o in var.cors_allow_origin : can(regex("^https?://[^[:space:],/]+$", o))])
    )
    error_message = "cors_allow_origin must be [\"*\"] alone, or origins such as https://app.example.com."
  }
  validation {
    condition     = startswith(var.plan, "EP") || var.cors_allow_origin == tolist(["*"]) || alltrue([for o in var.cors_allow_origin : !strcontains(o, "*")])
    error_message = "With this plan the Functions host answers preflights, and it knows no patterns: cors_allow_origin must name each origin in full."
  }
}

variable "settings" {
  description = "Further settings of fileloft, such as FILELOFT_MAX_METADATA: the README lists them."
  type        = map(string)
  default     = {}
  validation {
    condition     = alltrue([for name in keys(var.settings) : can(regex("^FILELOFT_[A-Z0-9_]+$", name))])
    error_message = "settings are environment variables whose names begin with FILELOFT_."
  }
  validation {
    condition = length(setintersection(keys(var.settings), [
      "FILELOFT_ENABLE_EXPIRATION", "FILELOFT_EXPIRATION_TTL", "FILELOFT_MAX_CHUNK", "FILELOFT_CORS_ALLOW_ORIGIN",
      "FILELOFT_AZURE_ACCOUNT", "FILELOFT_AZURE_CONTAINER", "FILELOFT_AZURE_TABLE", "FILELOFT_AZURE_CONNECTION_STRING",
    ])) == 0
    error_message = "expiry, origins, account, container and table are set by variables of their own, and the largest chunk by none, since more than the settings goes by them; a connection string has a key, and the account takes none."
  }
}

variable "log_level" {
  description = "Least severe log lines to write."
  type        = string
  default     = "info"
  validation {
    condition     = contains(["trace", "debug", "info", "warn", "error", "off"], var.log_level)
    error_message = "log_level must be trace, debug, info, warn, error or off."
  }
}

# ---- Data ------------------------------------------------------------------------------------------------------------

variable "account_name" {
  description = "Name of the storage account of the uploads, which no other account in the world may have. Empty: name, eight characters as in app_name, and data."
  type        = string
  default     = ""
  validation {
    condition     = can(regex("^([a-z0-9]{3,24})?$", var.account_name))
    error_message = "account_name must be 3 to 24 lower-case letters and digits, or empty."
  }
}

variable "replication" {
  description = "Where Azure keeps the copies of the uploads."
  type        = string
  default     = "LRS"
  validation {
    condition     = contains(["LRS", "ZRS", "GRS", "RAGRS", "GZRS", "RAGZRS"], var.replication)
    error_message = "replication must be LRS, ZRS, GRS, RAGRS, GZRS or RAGZRS."
  }
}

variable "container" {
  description = "Container of the uploads."
  type        = string
  default     = "uploads"
  validation {
    condition     = can(regex("^[a-z0-9](-?[a-z0-9]){2,62}$", var.container))
    error_message = "container must be 3 to 63 lower-case letters, digits and single hyphens, and not begin or end with a hyphen."
  }
}

variable "table" {
  description = "Table of the records."
  type        = string
  default     = "fileloft"
  validation {
    condition     = can(regex("^[A-Za-z][A-Za-z0-9]{2,62}$", var.table))
    error_message = "table must be 3 to 63 letters and digits, and begin with a letter."
  }
}

variable "soft_delete_days" {
  description = "Days that deleted blobs can be restored, and are paid for. 0: none."
  type        = number
  default     = 0
  validation {
    condition     = var.soft_delete_days >= 0 && var.soft_delete_days <= 365 && floor(var.soft_delete_days) == var.soft_delete_days
    error_message = "soft_delete_days must be a whole number from 0 to 365."
  }
}

variable "versioning" {
  description = "Keep former versions of blobs."
  type        = bool
  default     = false
}

variable "deletion_protection" {
  description = "Let Terraform fail before it deletes the uploads: by destroy, or to put account, container or table elsewhere."
  type        = bool
  default     = true
}

variable "storage_firewall" {
  description = "Let nobody but the function app's subnet reach the account of the uploads."
  type        = bool
  default     = false
  validation {
    condition     = !var.storage_firewall || var.subnet_id != ""
    error_message = "storage_firewall = true needs a subnet_id: nobody could reach the uploads."
  }
  validation {
    condition     = !var.storage_firewall || !var.enable_download
    error_message = "storage_firewall = true does not go with enable_download: clients fetch from the account by themselves."
  }
}

# ---- Operations ------------------------------------------------------------------------------------------------------

variable "application_insights" {
  description = "Make Application Insights and the workspace behind it. Without, nobody keeps the logs."
  type        = bool
  default     = true
}

variable "log_retention_days" {
  description = "Days that logs are kept."
  type        = number
  default     = 30
  validation {
    condition     = var.log_retention_days >= 30 && var.log_retention_days <= 730 && floor(var.log_retention_days) == var.log_retention_days
    error_message = "log_retention_days must be a whole number from 30 to 730."
  }
}

variable "log_daily_gb" {
  description = "Gigabytes of logs a day at most; what comes on top is dropped. -1 sets no limit."
  type        = number
  default     = 1
  validation {
    condition     = var.log_daily_gb == -1 || var.log_daily_gb > 0
    error_message = "log_daily_gb must be more than 0, or -1."
  }
}

variable "alerts" {
  description = "Make the alert rules, where there is Application Insights. Azure bills each of them."
  type        = bool
  default     = true
}

variable "action_groups" {
  description = "Ids of the action groups that alerts are sent to. None shows them in Azure Monitor only."
  type        = list(string)
  default     = []
  validation {
    condition     = alltrue([for g in var.action_groups : can(regex("^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/[Mm]icrosoft.[Ii]nsights/actionGroups/[^/]+$", g))])
    error_message = "action_groups must be like /subscriptions/S/resourceGroups/G/providers/Microsoft.Insights/actionGroups/A."
  }
}
