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

run "one_program_twice_with_what_it_may_do_and_its_alarms" {
  command = plan
  assert {
    condition     = output.function_names == { endpoint = "fileloft-endpoint", sweeper = "fileloft-sweeper" }
    error_message = "The functions are ${jsonencode(output.function_names)}."
  }
  assert {
    condition     = alltrue([for f in aws_lambda_function.this : f.runtime == "provided.al2023" && f.handler == "bootstrap" && f.architectures == tolist(["arm64"]) && f.memory_size == 512 && f.filename == "versions.tf"])
    error_message = "A function is made of something else."
  }
  assert {
    condition     = aws_lambda_function.this["endpoint"].timeout == 28 && aws_lambda_function.this["sweeper"].timeout == 900
    error_message = "The endpoint must end before its door gives up, and the sweeper may take as long as Lambda lets it."
  }
  assert {
    condition     = aws_lambda_function.this["endpoint"].reserved_concurrent_executions == -1 && aws_lambda_function.this["sweeper"].reserved_concurrent_executions == -1
    error_message = "The concurrency is another."
  }
  assert {
    condition     = alltrue([for f in aws_lambda_function.this : f.tracing_config[0].mode == "PassThrough"])
    error_message = "X-Ray is on."
  }
  assert {
    condition = alltrue([for f in aws_lambda_function.this : f.environment[0].variables == tomap({
      FILELOFT_S3_BUCKET            = "objects-bucket"
      FILELOFT_S3_PREFIX            = ""
      FILELOFT_S3_SSE               = ""
      FILELOFT_S3_KMS_KEY           = ""
      FILELOFT_DYNAMODB_TABLE       = "fileloft"
      FILELOFT_BASE_PATH            = "/files/"
      FILELOFT_BASE_URL             = ""
      FILELOFT_MAX_SIZE             = "10GiB"
      FILELOFT_ENABLE_EXPIRATION    = "true"
      FILELOFT_EXPIRATION_TTL       = "86400"
      FILELOFT_ENABLE_DOWNLOAD      = "false"
      FILELOFT_ENABLE_CONCATENATION = "false"
      FILELOFT_CORS_ALLOW_ORIGIN    = "*"
      FILELOFT_LOG_LEVEL            = "info"
    })])
    error_message = "The settings are others: ${jsonencode(aws_lambda_function.this["endpoint"].environment[0].variables)}."
  }
  assert {
    condition     = { for role, f in aws_lambda_function.this : role => f.logging_config[0].log_group } == output.log_groups && output.log_groups == { endpoint = "/aws/lambda/fileloft-endpoint", sweeper = "/aws/lambda/fileloft-sweeper" }
    error_message = "The logs go elsewhere."
  }
  assert {
    condition     = alltrue([for g in aws_cloudwatch_log_group.this : g.retention_in_days == 30])
    error_message = "Logs are kept for another time."
  }
  assert {
    condition     = output.chunk_size == 4194304 && output.bucket_name == "objects-bucket" && output.table_name == "fileloft"
    error_message = "The outputs tell something else."
  }
  assert {
    condition     = aws_cloudwatch_event_rule.sweep.schedule_expression == "rate(10 minutes)" && aws_cloudwatch_event_target.sweep.rule == "fileloft-sweep" && aws_cloudwatch_event_target.sweep.arn == aws_lambda_function.this["sweeper"].arn
    error_message = "Nobody calls the sweeper."
  }
  assert {
    condition     = aws_lambda_permission.sweep.function_name == "fileloft-sweeper" && aws_lambda_permission.sweep.principal == "events.amazonaws.com" && aws_lambda_permission.sweep.source_arn == aws_cloudwatch_event_rule.sweep.arn
    error_message = "The rule may not call the sweeper."
  }
  assert {
    condition     = aws_lambda_function_event_invoke_config.sweep.maximum_retry_attempts == 0 && aws_lambda_function_event_invoke_config.sweep.maximum_event_age_in_seconds == 60
    error_message = "Sweeps queue up."
  }
  assert {
    condition = jsondecode(aws_iam_role_policy.this["endpoint"].policy).Statement == [
      { Sid = "Logs", Effect = "Allow", Action = ["logs:CreateLogStream", "logs:PutLogEvents"], Resource = "arn:aws:logs:eu-central-1:123456789012:log-group:fileloft:*" },
      { Sid = "Records", Effect = "Allow", Action = ["dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"], Resource = "arn:aws:dynamodb:eu-central-1:123456789012:table/fileloft" },
    ]
    error_message = "The endpoint may do ${aws_iam_role_policy.this["endpoint"].policy}."
  }
  assert {
    condition = jsondecode(aws_iam_role_policy.this["sweeper"].policy).Statement == [
      { Sid = "Logs", Effect = "Allow", Action = ["logs:CreateLogStream", "logs:PutLogEvents"], Resource = "arn:aws:logs:eu-central-1:123456789012:log-group:fileloft:*" },
      { Sid = "Records", Effect = "Allow", Action = ["dynamodb:BatchGetItem", "dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:UpdateItem"], Resource = "arn:aws:dynamodb:eu-central-1:123456789012:table/fileloft" },
      { Sid = "Due", Effect = "Allow", Action = ["dynamodb:Query"], Resource = "arn:aws:dynamodb:eu-central-1:123456789012:table/fileloft/index/due" },
    ]
    error_message = "The sweeper may do ${aws_iam_role_policy.this["sweeper"].policy}."
  }
  assert {
    condition = alltrue([for p in aws_iam_role_policy.objects : jsondecode(p.policy).Statement == [
      { Sid = "Objects", Effect = "Allow", Action = ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:ListMultipartUploadParts", "s3:PutObject"], Resource = "arn:aws:s3:::objects-bucket/*" },
      { Sid = "Bucket", Effect = "Allow", Action = ["s3:ListBucket"], Resource = "arn:aws:s3:::objects-bucket" },
    ]])
    error_message = "They may do ${aws_iam_role_policy.objects["endpoint"].policy}."
  }
  assert {
    condition     = alltrue([for r in aws_iam_role.this : jsondecode(r.assume_role_policy).Statement[0].Principal == { Service = "lambda.amazonaws.com" }])
    error_message = "Others may take the roles."
  }
  assert {
    condition     = keys(aws_cloudwatch_metric_alarm.this) == ["door-errors", "endpoint-errors", "endpoint-throttles", "sweeper-errors", "sweeper-throttles"]
    error_message = "The alarms are ${jsonencode(keys(aws_cloudwatch_metric_alarm.this))}."
  }
  assert {
    condition     = alltrue([for a in aws_cloudwatch_metric_alarm.this : length(a.alarm_actions) == 0 && a.treat_missing_data == "notBreaching"])
    error_message = "An alarm goes somewhere, or off where nothing happens."
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.this["door-errors"].metric_name == "5xx" && aws_cloudwatch_metric_alarm.this["door-errors"].namespace == "AWS/ApiGateway" && aws_cloudwatch_metric_alarm.this["door-errors"].dimensions == tomap({ ApiId = "http1" })
    error_message = "The alarm watches another door."
  }
}

run "a_key_and_traces_need_permission" {
  command = plan
  variables {
    kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    tracing     = true
  }
  assert {
    condition = slice(jsondecode(aws_iam_role_policy.objects["sweeper"].policy).Statement, 2, 4) == [
      {
        Sid       = "Key", Effect = "Allow", Action = ["kms:Decrypt", "kms:GenerateDataKey"], Resource = var.kms_key_arn
        Condition = { StringEquals = { "kms:ViaService" = "s3.eu-central-1.amazonaws.com" } }
      },
      { Sid = "Traces", Effect = "Allow", Action = ["xray:PutTelemetryRecords", "xray:PutTraceSegments"], Resource = "*" },
    ]
    error_message = "They may do ${aws_iam_role_policy.objects["sweeper"].policy}."
  }
  assert {
    condition     = alltrue([for f in aws_lambda_function.this : f.tracing_config[0].mode == "Active"])
    error_message = "X-Ray is off."
  }
}

run "settings_and_sizes_of_ones_own" {
  command = plan
  variables {
    architecture         = "x86_64"
    memory_size          = 1024
    endpoint_concurrency = 50
    sweeper_concurrency  = 1
    cors_allow_origin    = ["https://app.example.com", "https://*.example.org"]
    settings             = { FILELOFT_MAX_METADATA = "4KiB" }
    tags                 = { project = "x" }
  }
  assert {
    condition     = alltrue([for f in aws_lambda_function.this : f.architectures == tolist(["x86_64"]) && f.memory_size == 1024 && f.tags == tomap({ project = "x" })])
    error_message = "The functions are made otherwise."
  }
  assert {
    condition     = aws_lambda_function.this["endpoint"].reserved_concurrent_executions == 50 && aws_lambda_function.this["sweeper"].reserved_concurrent_executions == 1
    error_message = "The concurrency is another."
  }
  assert {
    condition     = alltrue([for f in aws_lambda_function.this : f.environment[0].variables.FILELOFT_CORS_ALLOW_ORIGIN == "https://app.example.com,https://*.example.org" && f.environment[0].variables.FILELOFT_MAX_METADATA == "4KiB"])
    error_message = "The functions do not know."
  }
}

run "a_missing_zip_is_refused" {
  command = plan
  variables {
    package = "missing.zip"
  }
  expect_failures = [var.package]
}

run "bad_functions_are_refused" {
  command = plan
  variables {
    architecture         = "amd64"
    memory_size          = 128
    endpoint_concurrency = -1
    sweeper_concurrency  = 11
    sweep_schedule       = "rate(1 minutes)"
    log_level            = "loud"
    settings             = { AWS_REGION = "eu-central-1" }
  }
  expect_failures = [
    var.architecture, var.memory_size, var.endpoint_concurrency, var.sweeper_concurrency, var.sweep_schedule, var.log_level,
    var.settings,
  ]
}
