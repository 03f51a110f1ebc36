# No account and no network: the provider is mocked. What it would compute has the form that AWS gives it.
mock_provider "aws" {
  override_during = plan # Terraform 1.11

  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_region" {
    defaults = { region = "eu-central-1" }
  }
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_resource "aws_s3_bucket" {
    defaults = { id = "objects-bucket", bucket = "objects-bucket", arn = "arn:aws:s3:::objects-bucket" }
  }
  mock_resource "aws_dynamodb_table" {
    defaults = { arn = "arn:aws:dynamodb:eu-central-1:123456789012:table/fileloft" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/fileloft" }
  }
  mock_resource "aws_lambda_function" {
    defaults = {
      arn        = "arn:aws:lambda:eu-central-1:123456789012:function:fileloft"
      invoke_arn = "arn:aws:apigateway:eu-central-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-central-1:123456789012:function:fileloft/invocations"
    }
  }
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:eu-central-1:123456789012:log-group:fileloft" }
  }
  mock_resource "aws_cloudwatch_event_rule" {
    defaults = { arn = "arn:aws:events:eu-central-1:123456789012:rule/fileloft-sweep" }
  }
  mock_resource "aws_apigatewayv2_api" {
    defaults = { id = "http1", api_endpoint = "https://http1.execute-api.eu-central-1.amazonaws.com" }
  }
  mock_resource "aws_api_gateway_rest_api" {
    defaults = { id = "rest1", root_resource_id = "root1" }
  }
  mock_resource "aws_api_gateway_stage" {
    defaults = { invoke_url = "https://rest1.execute-api.eu-central-1.amazonaws.com/live" }
  }
  mock_resource "aws_lambda_function_url" {
    defaults = { function_url = "https://url1.lambda-url.eu-central-1.on.aws/" }
  }
}

# Any file will do for a zip here.
variables {
  package = "versions.tf"
}

run "the_bucket_is_private_and_the_table_as_dynamostate_wants_it" {
  command = plan
  assert {
    condition = alltrue([
      aws_s3_bucket_public_access_block.objects.block_public_acls, aws_s3_bucket_public_access_block.objects.block_public_policy,
      aws_s3_bucket_public_access_block.objects.ignore_public_acls, aws_s3_bucket_public_access_block.objects.restrict_public_buckets,
    ])
    error_message = "Public access is not blocked."
  }
  assert {
    condition     = aws_s3_bucket_ownership_controls.objects.rule[0].object_ownership == "BucketOwnerEnforced"
    error_message = "Objects may belong to others."
  }
  assert {
    condition     = one(one(aws_s3_bucket_server_side_encryption_configuration.objects.rule[*]).apply_server_side_encryption_by_default[*]).sse_algorithm == "AES256"
    error_message = "Objects are not encrypted by S3's keys."
  }
  assert {
    condition     = [for r in aws_s3_bucket_lifecycle_configuration.objects.rule : r.abort_incomplete_multipart_upload[0].days_after_initiation if r.id == "abort-incomplete-uploads"] == [7]
    error_message = "The net is not at seven days."
  }
  assert {
    condition     = length(aws_s3_bucket_versioning.objects) == 0
    error_message = "The bucket keeps every tail."
  }
  assert {
    condition     = !aws_s3_bucket.objects.force_destroy
    error_message = "Objects go with terraform destroy."
  }
  assert {
    condition     = jsondecode(aws_s3_bucket_policy.objects.policy).Statement[0].Effect == "Deny" && jsondecode(aws_s3_bucket_policy.objects.policy).Statement[0].Condition.Bool["aws:SecureTransport"] == "false"
    error_message = "The bucket answers without TLS."
  }
  assert {
    condition     = aws_dynamodb_table.records.hash_key == "i" && aws_dynamodb_table.records.range_key == null && aws_dynamodb_table.records.billing_mode == "PAY_PER_REQUEST"
    error_message = "The key or the billing is another."
  }
  assert {
    condition     = { for a in aws_dynamodb_table.records.attribute : a.name => a.type } == { i = "S", h = "N", y = "N" }
    error_message = "The attributes are others."
  }
  assert {
    condition     = [for i in aws_dynamodb_table.records.global_secondary_index : [i.name, i.hash_key, i.range_key, i.projection_type]] == [["due", "h", "y", "KEYS_ONLY"]]
    error_message = "The index is another."
  }
  assert {
    condition     = aws_dynamodb_table.records.ttl[0].attribute_name == "z" && aws_dynamodb_table.records.ttl[0].enabled
    error_message = "The time to live is another."
  }
  assert {
    condition     = aws_dynamodb_table.records.point_in_time_recovery[0].enabled && aws_dynamodb_table.records.server_side_encryption[0].enabled && aws_dynamodb_table.records.deletion_protection_enabled
    error_message = "The table is not protected."
  }
}

run "the_net_follows_expiry" {
  command = plan
  variables {
    expiration_days = 14
  }
  assert {
    condition     = [for r in aws_s3_bucket_lifecycle_configuration.objects.rule : r.abort_incomplete_multipart_upload[0].days_after_initiation if r.id == "abort-incomplete-uploads"] == [20]
    error_message = "The net is not six days behind expiry."
  }
  assert {
    condition     = alltrue([for f in aws_lambda_function.this : f.environment[0].variables.FILELOFT_EXPIRATION_TTL == "1209600"])
    error_message = "The functions expire uploads at another time."
  }
}

run "a_net_before_expiry_is_refused" {
  command = plan
  variables {
    expiration_days = 7
    abort_days      = 7
  }
  expect_failures = [var.abort_days]
}

run "a_net_just_at_expiry_is_refused" {
  command = plan
  variables {
    expiration_days = 7
    abort_days      = 8
  }
  expect_failures = [var.abort_days]
}

run "expiry_by_the_back_door_is_refused" {
  command = plan
  variables {
    settings = { FILELOFT_EXPIRATION_TTL = "720h" }
  }
  expect_failures = [var.settings]
}

run "a_key_versions_and_a_net_of_ones_own" {
  command = plan
  variables {
    kms_key_arn         = "arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    versioning          = true
    expiration_days     = 14
    abort_days          = 90
    force_destroy       = true
    deletion_protection = false
  }
  assert {
    condition     = one(one(aws_s3_bucket_server_side_encryption_configuration.objects.rule[*]).apply_server_side_encryption_by_default[*]).kms_master_key_id == var.kms_key_arn && one(aws_s3_bucket_server_side_encryption_configuration.objects.rule[*]).bucket_key_enabled
    error_message = "The bucket is not encrypted with the key."
  }
  assert {
    condition     = alltrue([for f in aws_lambda_function.this : f.environment[0].variables.FILELOFT_S3_SSE == "aws:kms" && f.environment[0].variables.FILELOFT_S3_KMS_KEY == var.kms_key_arn])
    error_message = "The functions do not know that ETags are no MD5s."
  }
  assert {
    condition     = aws_s3_bucket_versioning.objects[0].versioning_configuration[0].status == "Enabled"
    error_message = "There are no versions."
  }
  assert {
    condition     = aws_s3_bucket.objects.force_destroy && !aws_dynamodb_table.records.deletion_protection_enabled
    error_message = "It cannot be destroyed."
  }
  assert {
    condition     = [for r in aws_s3_bucket_lifecycle_configuration.objects.rule : r.abort_incomplete_multipart_upload[0].days_after_initiation if r.id == "abort-incomplete-uploads"] == [90]
    error_message = "The net is not where it was put."
  }
}

run "bad_data_is_refused" {
  command = plan
  variables {
    name               = "Files"
    expiration_days    = 0
    object_prefix      = ".fileloft/"
    max_size           = "10G"
    cors_allow_origin  = ["https://app.example.com/"]
    kms_key_arn        = "alias/mine"
    log_retention_days = 31
    alarm_topic_arn    = "alarms"
  }
  expect_failures = [
    var.name, var.expiration_days, var.object_prefix, var.max_size, var.cors_allow_origin, var.kms_key_arn,
    var.log_retention_days, var.alarm_topic_arn,
  ]
}
