variable "project" {
  description = "Id of the project that all is made in."
  type        = string
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project))
    error_message = "project must be a project's id, such as my-project-123, not its name or number."
  }
}

variable "region" {
  description = "Region of the functions, and of bucket and database unless they are placed elsewhere."
  type        = string
  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "region must be a region such as europe-west3."
  }
}

variable "name" {
  description = "Begins the names of all that is made."
  type        = string
  default     = "fileloft"
  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,18}[a-z0-9])?$", var.name))
    error_message = "name must be 1 to 20 lower-case letters, digits and hyphens, begin with a letter, and not end with a hyphen."
  }
}

variable "labels" {
  description = "Labels of all that can have them."
  type        = map(string)
  default     = {}
}

variable "enable_apis" {
  description = "Switch on the project's APIs that this needs. They stay on after terraform destroy."
  type        = bool
  default     = true
}

# ---- Endpoint --------------------------------------------------------------------------------------------------------

variable "platform" {
  description = "What answers requests: function (Cloud Run functions, built by Google from the sources; 32 MiB a request) or cloud-run (a container of yours; HTTP/2 to the end and bodies of any size)."
  type        = string
  default     = "function"
  validation {
    condition     = contains(["function", "cloud-run"], var.platform)
    error_message = "platform must be function or cloud-run."
  }
}

variable "package" {
  description = "The zip that make gcf-source has built, for platform = function. Null: the one of this repository."
  type        = string
  default     = null
  validation {
    condition     = var.platform != "function" || try(fileexists(coalesce(var.package, local.default_package)), false)
    error_message = "There is no such zip: run make gcf-source in the repository's root first."
  }
}

variable "image" {
  description = "Container image of functions/gcf/cmd/fileloft-gcf, for platform = cloud-run."
  type        = string
  default     = ""
  validation {
    condition     = (var.platform == "cloud-run") == (var.image != "")
    error_message = "platform = \"cloud-run\" needs an image, and platform = \"function\" takes none: Google builds it."
  }
  validation {
    condition     = can(regex("^([a-z0-9.-]+/[a-z0-9._/-]+(:[A-Za-z0-9._-]+)?(@sha256:[0-9a-f]{64})?)?$", var.image))
    error_message = "image must be a reference such as europe-west3-docker.pkg.dev/my-project/images/fileloft:1.0."
  }
}

variable "invokers" {
  description = "Who may call the endpoint: [\"allUsers\"] for everybody, or members such as group:uploaders@example.com, who send Google's ID token. A browser's preflight carries none, so browsers need allUsers."
  type        = list(string)
  default     = ["allUsers"]
  validation {
    condition     = alltrue([for m in var.invokers : can(regex("^(allUsers|allAuthenticatedUsers|(user|group|serviceAccount|domain|principal|principalSet):[^[:space:]]+)$", m))])
    error_message = "invokers must be allUsers, or members such as user:a@example.com or serviceAccount:b@my-project.iam.gserviceaccount.com."
  }
}

variable "ingress" {
  description = "Where requests may come from: all, or load-balancer, for a domain of yours behind an external Application Load Balancer."
  type        = string
  default     = "all"
  validation {
    condition     = contains(["all", "load-balancer"], var.ingress)
    error_message = "ingress must be all or load-balancer."
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
  description = "Public origin, if a domain of yours leads to the endpoint. Empty takes the platform's own."
  type        = string
  default     = ""
  validation {
    condition     = can(regex("^(https://[A-Za-z0-9.-]+(:[0-9]+)?(/[A-Za-z0-9._~-]+)*)?$", var.base_url))
    error_message = "base_url must be an origin without a slash at the end, such as https://uploads.example.com, or empty."
  }
}

variable "request_timeout" {
  description = "Seconds after which the platform ends a request. The endpoint answers before, with what it has stored."
  type        = number
  default     = 300
  validation {
    condition     = var.request_timeout >= 30 && var.request_timeout <= 3600 && floor(var.request_timeout) == var.request_timeout
    error_message = "request_timeout must be a whole number from 30 to 3600."
  }
}

variable "memory" {
  description = "Memory of each instance. Each request may hold FILELOFT_GCS_CHUNK_SIZE of it, 8 MiB, and the client libraries as much again."
  type        = string
  default     = "1Gi"
  validation {
    condition     = contains(["512Mi", "1Gi", "2Gi", "4Gi"], var.memory)
    error_message = "memory must be 512Mi, 1Gi, 2Gi or 4Gi."
  }
}

variable "cpu" {
  description = "Processors of each instance. Less than one would serve one request at a time."
  type        = number
  default     = 1
  validation {
    condition     = contains([1, 2, 4], var.cpu)
    error_message = "cpu must be 1, 2 or 4."
  }
}

variable "concurrency" {
  description = "Requests that one instance serves at once."
  type        = number
  default     = 16
  validation {
    condition     = var.concurrency >= 1 && var.concurrency <= 1000 && floor(var.concurrency) == var.concurrency
    error_message = "concurrency must be a whole number from 1 to 1000."
  }
}

variable "max_instances" {
  description = "Instances of the endpoint at most: what limits its price. More requests than they can serve get a 429."
  type        = number
  default     = 20
  validation {
    condition     = var.max_instances >= 1 && var.max_instances <= 1000 && floor(var.max_instances) == var.max_instances
    error_message = "max_instances must be a whole number from 1 to 1000."
  }
}

variable "min_instances" {
  description = "Instances of the endpoint that are kept, and paid for, without requests."
  type        = number
  default     = 0
  validation {
    condition     = var.min_instances >= 0 && var.min_instances <= var.max_instances && floor(var.min_instances) == var.min_instances
    error_message = "min_instances must be a whole number from 0 to max_instances."
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
  description = "Put in front of each finished object's name, such as uploads/."
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

variable "piece_days" {
  description = "Days after it was written that the bucket deletes a piece of an unfinished upload, whatever progress the upload makes. Null: expiration_days and 30 more."
  type        = number
  default     = null
  validation {
    condition     = var.piece_days == null || try(var.piece_days > var.expiration_days + 1 && floor(var.piece_days) == var.piece_days, false)
    error_message = "piece_days must be a whole number, and more than a day longer than expiration_days: the bucket would take away pieces of uploads that are still going on."
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
  description = "Origins whose pages may upload. The function answers preflights, not the platform."
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
    condition = length(setintersection(keys(var.settings), [
      "FILELOFT_ENABLE_EXPIRATION", "FILELOFT_EXPIRATION_TTL", "FILELOFT_REQUEST_TIMEOUT", "FILELOFT_ENABLE_H2C",
      "FILELOFT_GCS_BUCKET", "FILELOFT_FIRESTORE_DATABASE", "FILELOFT_FIRESTORE_COLLECTION",
    ])) == 0
    error_message = "expiry, the request's timeout, HTTP/2, bucket, database and collection are set by variables of their own, which more than the settings go by."
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

# ---- Sweeper ---------------------------------------------------------------------------------------------------------

variable "sweep_schedule" {
  description = "When expired uploads are removed and what a crash cut short is finished, in cron's form, UTC."
  type        = string
  default     = "*/10 * * * *"
  validation {
    condition     = can(regex("^[0-9*/,-]+ [0-9*/,-]+ [0-9*/,-]+ [0-9A-Za-z*/,-]+ [0-9A-Za-z*/,-]+$", var.sweep_schedule))
    error_message = "sweep_schedule must be five fields in cron's form, such as */10 * * * *."
  }
}

variable "scheduler_region" {
  description = "Region of the schedule, where Cloud Scheduler is not in the functions' region. Null: theirs."
  type        = string
  default     = null
  validation {
    condition     = var.scheduler_region == null || can(regex("^[a-z]+-[a-z]+[0-9]+$", var.scheduler_region))
    error_message = "scheduler_region must be a region such as europe-west3, or null."
  }
}

# ---- Data ------------------------------------------------------------------------------------------------------------

variable "bucket_name" {
  description = "Name of the bucket, which no other bucket in the world may have. Empty: the project's id, a hyphen, and name."
  type        = string
  default     = ""
  validation {
    condition     = can(regex("^([a-z0-9][a-z0-9_-]{1,61}[a-z0-9])?$", var.bucket_name))
    error_message = "bucket_name must be 3 to 63 lower-case letters, digits, hyphens and underscores, or empty."
  }
}

variable "bucket_location" {
  description = "Location of the bucket: a region, or a multi-region such as EU. Null: the functions' region."
  type        = string
  default     = null
  validation {
    condition     = var.bucket_location == null || can(regex("^([A-Za-z]+-[A-Za-z]+[0-9]+|[A-Za-z]+[0-9]?)$", var.bucket_location))
    error_message = "bucket_location must be a region such as europe-west3, a multi-region such as EU, or null."
  }
}

variable "create_database" {
  description = "Make the Firestore database. Without, one of the Standard edition in Native mode must be there; its collection is set up all the same."
  type        = bool
  default     = true
}

variable "database" {
  description = "Id of the Firestore database: (default), or a name of its own."
  type        = string
  default     = "fileloft"
  validation {
    condition     = can(regex("^(\\(default\\)|[a-z][a-z0-9-]{2,61}[a-z0-9])$", var.database))
    error_message = "database must be (default), or 4 to 63 lower-case letters, digits and hyphens that begin with a letter and do not end with a hyphen."
  }
}

variable "database_location" {
  description = "Location of the database that is made: a region, or eur3 or nam5. It cannot be changed later. Null: the functions' region."
  type        = string
  default     = null
  validation {
    condition     = var.database_location == null || can(regex("^([a-z]+-[a-z]+[0-9]+|eur3|nam5|nam7)$", var.database_location))
    error_message = "database_location must be a region such as europe-west3, eur3, nam5, nam7, or null."
  }
}

variable "collection" {
  description = "Firestore collection of the records."
  type        = string
  default     = "fileloft"
  validation {
    condition     = can(regex("^[A-Za-z][A-Za-z0-9_-]{0,99}$", var.collection))
    error_message = "collection must be 1 to 100 letters, digits, hyphens and underscores, and begin with a letter."
  }
}

variable "force_destroy" {
  description = "Let terraform destroy delete a bucket that holds objects, with the objects."
  type        = bool
  default     = false
}

variable "deletion_protection" {
  description = "Protect the database from being deleted by anybody, terraform destroy included."
  type        = bool
  default     = true
}

variable "kms_key" {
  description = "Key that encrypts the objects, in the bucket's location. Empty takes Google's own keys."
  type        = string
  default     = ""
  validation {
    condition     = can(regex("^(projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+)?$", var.kms_key))
    error_message = "kms_key must be like projects/P/locations/L/keyRings/R/cryptoKeys/K, or empty."
  }
}

# ---- Operations ------------------------------------------------------------------------------------------------------

variable "alerts" {
  description = "Make the alert policies. Google bills each of them."
  type        = bool
  default     = true
}

variable "notification_channels" {
  description = "Channels that alerts and their ends are sent to. None shows them in Cloud Monitoring only."
  type        = list(string)
  default     = []
  validation {
    condition     = alltrue([for c in var.notification_channels : can(regex("^projects/[^/]+/notificationChannels/[0-9]+$", c))])
    error_message = "notification_channels must be like projects/my-project/notificationChannels/123."
  }
}
