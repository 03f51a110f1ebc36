# One program as two functions: behind the door, and on a schedule.

locals {
  default_package = "${path.module}/../../../dist/lambda-${var.architecture == "arm64" ? "arm64" : "amd64"}.zip"
  package         = coalesce(var.package, local.default_package)

  abort_days = var.abort_days == null ? var.expiration_days + 6 : var.abort_days

  environment = merge({
    FILELOFT_S3_BUCKET            = aws_s3_bucket.objects.bucket
    FILELOFT_S3_PREFIX            = var.object_prefix
    FILELOFT_S3_SSE               = var.kms_key_arn == "" ? "" : "aws:kms"
    FILELOFT_S3_KMS_KEY           = var.kms_key_arn
    FILELOFT_DYNAMODB_TABLE       = aws_dynamodb_table.records.name
    FILELOFT_BASE_PATH            = var.base_path
    FILELOFT_BASE_URL             = var.base_url
    FILELOFT_MAX_SIZE             = var.max_size
    FILELOFT_ENABLE_EXPIRATION    = "true"
    FILELOFT_EXPIRATION_TTL       = tostring(var.expiration_days * 86400)
    FILELOFT_ENABLE_DOWNLOAD      = tostring(var.enable_download)
    FILELOFT_ENABLE_CONCATENATION = tostring(var.enable_concatenation)
    FILELOFT_CORS_ALLOW_ORIGIN    = join(",", var.cors_allow_origin)
    FILELOFT_LOG_LEVEL            = var.log_level
  }, var.settings)

  functions = {
    endpoint = {
      description = "Answers tus requests"
      timeout     = 28 # an HTTP API waits 30 s, a REST API 29 s: the function answers before they give up
      concurrency = var.endpoint_concurrency
    }
    # S3 may take minutes to complete a large object. The endpoint then answers 503 with Retry-After; here it gets done.
    sweeper = {
      description = "Removes what has expired and finishes what was cut short"
      timeout     = 900
      concurrency = var.sweeper_concurrency
    }
  }
}

resource "aws_lambda_function" "this" {
  for_each = local.functions

  function_name                  = "${var.name}-${each.key}"
  description                    = each.value.description
  filename                       = local.package
  source_code_hash               = filebase64sha256(local.package)
  runtime                        = "provided.al2023"
  handler                        = "bootstrap"
  architectures                  = [var.architecture]
  memory_size                    = var.memory_size
  timeout                        = each.value.timeout
  reserved_concurrent_executions = each.value.concurrency == 0 ? -1 : each.value.concurrency
  role                           = aws_iam_role.this[each.key].arn
  tags                           = var.tags

  environment {
    variables = local.environment
  }
  logging_config {
    log_format = "Text" # fileloft writes its own JSON
    log_group  = aws_cloudwatch_log_group.this[each.key].name
  }
  tracing_config {
    mode = var.tracing ? "Active" : "PassThrough"
  }
  depends_on = [aws_iam_role_policy.this, aws_iam_role_policy.objects]
}

resource "aws_cloudwatch_log_group" "this" {
  for_each = local.functions

  name              = "/aws/lambda/${var.name}-${each.key}"
  retention_in_days = var.log_retention_days
  tags              = var.tags
}

resource "aws_cloudwatch_event_rule" "sweep" {
  name                = "${var.name}-sweep"
  description         = "fileloft's sweep"
  schedule_expression = var.sweep_schedule
  tags                = var.tags
}

resource "aws_cloudwatch_event_target" "sweep" {
  rule = aws_cloudwatch_event_rule.sweep.name
  arn  = aws_lambda_function.this["sweeper"].arn
}

resource "aws_lambda_permission" "sweep" {
  function_name = aws_lambda_function.this["sweeper"].function_name
  action        = "lambda:InvokeFunction"
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.sweep.arn
}

# A sweep that cannot start now is the next one's work: nothing is to queue up.
resource "aws_lambda_function_event_invoke_config" "sweep" {
  function_name                = aws_lambda_function.this["sweeper"].function_name
  maximum_retry_attempts       = 0
  maximum_event_age_in_seconds = 60
}
