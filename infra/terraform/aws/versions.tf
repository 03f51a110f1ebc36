# fileloft on AWS: a tus endpoint on Lambda, records in DynamoDB, bytes in S3, and a sweeper. It is a root module, run as it
# is with the region from the environment, and a module of yours alike. docs/aws.md explains it; template.yaml in the
# repository's root is the same for SAM.
terraform {
  required_version = ">= 1.9" # validations that look at other variables

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.28" # invoked_via_function_url of aws_lambda_permission
    }
  }
}
