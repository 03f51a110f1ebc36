# fileloft on Google Cloud: a tus endpoint on Cloud Run functions or Cloud Run, records in Firestore, bytes in Cloud Storage, and a
# sweeper. It is a root module, run as it is with -var project=... -var region=..., and a module of yours alike. docs/gcp.md explains it.
terraform {
  required_version = ">= 1.9" # validations that look at other variables

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = ">= 7.0" # the soft delete policy, editions of Firestore, members of service accounts
    }
  }
}
