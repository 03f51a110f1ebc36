variable "name" {
  description = "Begins the names of all that is made."
  type        = string
  default     = "fileloft"
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,35}$", var.name))
    error_message = "name must be 1 to 36 lower-case letters, digits and hyphens, and begin with a letter."
  }
}

variable "tags" {
  description = "Tags of all that is made."
  type        = map(string)
  default     = {}
}

# ---- Door ------------------------------------------------------------------------------------------------------------

variable "door" {
  description = "What stands in front of the function: http-api (the only one with the JWT authorizer), rest-api (cheaper than an HTTP API for bodies above 1.5 MB), or function-url (no price of its own, no throttling, no domain of yours)."
  type        = string
  default     = "http-api"
  validation {
    condition     = contains(["http-api", "rest-api", "function-url"], var.door)
    error_message = "door must be http-api, rest-api or function-url."
  }
}

variable "base_path" {
  description = "Path under which uploads live."
  type        = string
  default     = "/files/"
  validation {
    condition     = can(regex("^/([A-Za-z0-9._~-]+/)*$", var.base_path))
    error_message = "base_path must be a path that begins and ends with a slash, such as /files/."
  }
}

variable "base_url" {
  description = "Public origin, if a domain of yours leads to the door. Empty takes the door's own."
  type        = string
  default     = ""
  validation {
    condition     = can(regex("^(https://[A-Za-z0-9.-]+(:[0-9]+)?(/[A-Za-z0-9._~-]+)*)?$", var.base_url))
    error_message = "base_url must be an origin without a slash at the end, such as https://uploads.example.com, or empty."
  }
}

variable "throttle_rate" {
  description = "Requests a second that the API lets through. A function URL is limited by endpoint_concurrency alone."
  type        = number
  default     = 500
  validation {
    condition     = var.throttle_rate >= 1
    error_message = "throttle_rate must be at least 1: with 0 the API would refuse every request."
  }
}

variable "throttle_burst" {
  description = "Requests that the API lets through at once. A function URL is limited by endpoint_concurrency alone."
  type        = number
  default     = 1000
  validation {
    condition     = var.throttle_burst >= 1 && floor(var.throttle_burst) == var.throttle_burst
    error_message = "throttle_burst must be a whole number of at least 1."
  }
}

variable "jwt" {
  description = "Issuer and audiences of the JWTs that every request but OPTIONS must carry. Null lets everybody upload. HTTP API only."
  type = object({
    issuer   = string
    audience = list(string)
  })
  default = null
  validation {
    condition     = var.jwt == null || var.door == "http-api"
    error_message = "jwt works with door = \"http-api\" alone: no other door would look at the token."
  }
  validation {
    condition     = var.jwt == null || can(regex("^https://[^[:space:],]+$", var.jwt.issuer))
    error_message = "jwt.issuer must be an https URL."
  }
  validation {
    condition     = var.jwt == null || try(length(var.jwt.audience) > 0, false)
    error_message = "jwt.audience must name an audience: otherwise tokens made for other services would be let in."
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
  description = "Put in front of each finished object's key, such as uploads/."
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
    condition     = var.expiration_days >= 1 && var.expiration_days <= 365 && floor(var.expiration_days) == var.expiration_days
    error_message = "expiration_days must be a whole number from 1 to 365."
  }
}

variable "abort_days" {
  description = "Days after an upload's first part that S3 gives up what it holds of it, whatever progress it makes. Null: expiration_days and 6 more."
  type        = number
  default     = null
  validation {
    condition     = var.abort_days == null || try(var.abort_days > var.expiration_days + 1 && floor(var.abort_days) == var.abort_days, false)
    error_message = "abort_days must be a whole number, and more than a day longer than expiration_days: S3 would take away parts of uploads that are still going on."
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
  description = "Origins whose pages may upload. The function answers preflights, not the API."
  type        = list(string)
  default     = ["*"]
  validation {
    condition = length(var.cors_allow_origin) > 0 && (
      var.cors_allow_origin == tolist(["*"]) ||
      alltrue([for o in var.cors_allow_origin : can(regex("^https?://[^[:space:],/]+$", o))])
    )
    error_message = "cors_allow_origin must be [\"*\"] alone, or origins such as https://app.example.com."
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
    condition     = !contains(keys(var.settings), "FILELOFT_ENABLE_EXPIRATION") && !contains(keys(var.settings), "FILELOFT_EXPIRATION_TTL")
    error_message = "expiry is set by expiration_days, which the bucket's lifecycle rule goes by."
  }
}

# ---- Functions -------------------------------------------------------------------------------------------------------

variable "architecture" {
  description = "The functions' processor: arm64 or x86_64."
  type        = string
  default     = "arm64"
  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "architecture must be arm64 or x86_64."
  }
}

variable "package" {
  description = "The zip that make package has built. Null: the one of this repository for the architecture."
  type        = string
  default     = null
  validation {
    condition     = try(fileexists(coalesce(var.package, local.default_package)), false)
    error_message = "There is no such zip: run make package in the repository's root first."
  }
}

variable "memory_size" {
  description = "MB of memory of each function. Lambda gives processor time in proportion."
  type        = number
  default     = 512
  validation {
    condition     = var.memory_size >= 256 && var.memory_size <= 10240 && floor(var.memory_size) == var.memory_size
    error_message = "memory_size must be a whole number from 256 to 10240."
  }
}

variable "endpoint_concurrency" {
  description = "Requests that are served at once, reserved for this function; 0 shares the account's. More get a 429."
  type        = number
  default     = 0
  validation {
    condition     = var.endpoint_concurrency >= 0 && floor(var.endpoint_concurrency) == var.endpoint_concurrency
    error_message = "endpoint_concurrency must be a whole number of at least 0."
  }
}

variable "sweeper_concurrency" {
  description = "Sweeps at once, reserved; 0 shares the account's. Two at once are harmless. A new account may have too low a quota to reserve any."
  type        = number
  default     = 0
  validation {
    condition     = var.sweeper_concurrency >= 0 && var.sweeper_concurrency <= 10 && floor(var.sweeper_concurrency) == var.sweeper_concurrency
    error_message = "sweeper_concurrency must be a whole number from 0 to 10."
  }
}

variable "sweep_schedule" {
  description = "How often expired uploads are removed and what a crash cut short is finished."
  type        = string
  default     = "rate(10 minutes)"
  validation {
    condition     = can(regex("^(rate\\((1 (minute|hour|day)|([2-9]|[1-9][0-9]+) (minutes|hours|days))\\)|cron\\([^)]+\\))$", var.sweep_schedule))
    error_message = "sweep_schedule must be like rate(10 minutes), or a cron expression of EventBridge."
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

variable "tracing" {
  description = "Record the functions' invocations in X-Ray."
  type        = bool
  default     = false
}

# ---- Data ------------------------------------------------------------------------------------------------------------

variable "force_destroy" {
  description = "Let terraform destroy delete a bucket that holds objects, with the objects."
  type        = bool
  default     = false
}

variable "deletion_protection" {
  description = "Protect the table from being deleted by anybody, terraform destroy included."
  type        = bool
  default     = true
}

variable "versioning" {
  description = "Keep former versions of objects. fileloft never overwrites an object; only pieces would be kept, at a price."
  type        = bool
  default     = false
}

variable "kms_key_arn" {
  description = "Key that encrypts the objects. Empty takes S3's own keys. Its key policy must let this account's roles use it."
  type        = string
  default     = ""
  validation {
    condition     = can(regex("^(arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+)?$", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a key, not of an alias, or empty."
  }
}

# ---- Operations ------------------------------------------------------------------------------------------------------

variable "log_retention_days" {
  description = "Days that log lines are kept."
  type        = number
  default     = 30
  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be one of the numbers that CloudWatch takes, such as 7, 30, 90 or 365."
  }
}

variable "alarm_topic_arn" {
  description = "SNS topic that alarms and their ends are sent to. Empty shows them in CloudWatch only."
  type        = string
  default     = ""
  validation {
    condition     = can(regex("^(arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+)?$", var.alarm_topic_arn))
    error_message = "alarm_topic_arn must be the ARN of an SNS topic, or empty."
  }
}
