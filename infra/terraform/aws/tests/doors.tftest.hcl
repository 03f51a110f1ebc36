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
  mock_resource "aws_apigatewayv2_authorizer" {
    defaults = { id = "authorizer1" }
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

run "an_http_api_by_default" {
  command = plan
  assert {
    condition     = output.endpoint_url == "https://http1.execute-api.eu-central-1.amazonaws.com/files/"
    error_message = "The endpoint is ${output.endpoint_url}."
  }
  assert {
    condition     = aws_apigatewayv2_route.default[0].route_key == "$default" && aws_apigatewayv2_route.default[0].authorization_type == "NONE"
    error_message = "Not everything is let through."
  }
  assert {
    condition     = aws_apigatewayv2_integration.this[0].payload_format_version == "2.0"
    error_message = "The function gets another form of event than it was tested with."
  }
  assert {
    condition     = length(aws_apigatewayv2_api.this[0].cors_configuration) == 0
    error_message = "The platform answers preflights, and throws the function's CORS headers away."
  }
  assert {
    condition     = aws_apigatewayv2_stage.this[0].auto_deploy && aws_apigatewayv2_stage.this[0].name == "$default"
    error_message = "A stage of another name would be part of every path."
  }
  assert {
    condition     = aws_apigatewayv2_stage.this[0].default_route_settings[0].throttling_rate_limit == 500 && aws_apigatewayv2_stage.this[0].default_route_settings[0].throttling_burst_limit == 1000
    error_message = "The API is not throttled."
  }
  assert {
    condition     = aws_lambda_permission.http_api[0].source_arn == "arn:aws:execute-api:eu-central-1:123456789012:http1/*"
    error_message = "The permission is for ${aws_lambda_permission.http_api[0].source_arn}."
  }
  assert {
    condition     = length(aws_apigatewayv2_authorizer.this) == 0 && length(aws_apigatewayv2_route.preflight) == 0
    error_message = "Without jwt there is nothing to authorize."
  }
  assert {
    condition     = length(aws_api_gateway_rest_api.this) == 0 && length(aws_lambda_function_url.this) == 0
    error_message = "There is a second door."
  }
}

run "a_rest_api" {
  command = plan
  variables {
    door            = "rest-api"
    alarm_topic_arn = "arn:aws:sns:eu-central-1:123456789012:alarms"
    throttle_rate   = 7
    throttle_burst  = 9
  }
  assert {
    condition     = output.endpoint_url == "https://rest1.execute-api.eu-central-1.amazonaws.com/live/files/"
    error_message = "The endpoint is ${output.endpoint_url}."
  }
  assert {
    condition     = aws_api_gateway_rest_api.this[0].binary_media_types == tolist(["*/*"])
    error_message = "Bodies would arrive as mangled text."
  }
  assert {
    condition     = aws_api_gateway_resource.proxy[0].path_part == "{proxy+}" && aws_api_gateway_resource.proxy[0].parent_id == "root1"
    error_message = "Paths below the root are not routed."
  }
  assert {
    condition     = keys(aws_api_gateway_method.this) == ["proxy", "root"] && alltrue([for m in aws_api_gateway_method.this : m.http_method == "ANY" && m.authorization == "NONE"])
    error_message = "Not every method is let through."
  }
  assert {
    condition     = alltrue([for i in aws_api_gateway_integration.this : i.type == "AWS_PROXY" && i.integration_http_method == "POST"])
    error_message = "The function does not get the request."
  }
  assert {
    condition     = aws_api_gateway_method_settings.this[0].method_path == "*/*" && aws_api_gateway_method_settings.this[0].settings[0].throttling_rate_limit == 7 && aws_api_gateway_method_settings.this[0].settings[0].throttling_burst_limit == 9
    error_message = "The API is not throttled as was asked."
  }
  assert {
    condition     = aws_lambda_permission.rest_api[0].source_arn == "arn:aws:execute-api:eu-central-1:123456789012:rest1/*"
    error_message = "The permission is for ${aws_lambda_permission.rest_api[0].source_arn}."
  }
  assert {
    condition     = length(aws_apigatewayv2_api.this) == 0 && length(aws_lambda_function_url.this) == 0
    error_message = "There is a second door."
  }
  assert {
    condition     = alltrue([for a in aws_cloudwatch_metric_alarm.this : a.alarm_actions == toset([var.alarm_topic_arn]) && a.ok_actions == toset([var.alarm_topic_arn])])
    error_message = "An alarm is not told."
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.this["door-errors"].metric_name == "5XXError" && aws_cloudwatch_metric_alarm.this["door-errors"].dimensions == tomap({ ApiName = "fileloft" })
    error_message = "The alarm watches another door."
  }
}

run "a_function_url" {
  command = plan
  variables {
    door = "function-url"
  }
  assert {
    condition     = output.endpoint_url == "https://url1.lambda-url.eu-central-1.on.aws/files/"
    error_message = "The endpoint is ${output.endpoint_url}."
  }
  assert {
    condition     = aws_lambda_function_url.this[0].authorization_type == "NONE" && length(aws_lambda_function_url.this[0].cors) == 0
    error_message = "The URL is not public, or the platform answers preflights."
  }
  assert {
    condition     = aws_lambda_permission.function_url[0].action == "lambda:InvokeFunctionUrl" && aws_lambda_permission.function_url[0].function_url_auth_type == "NONE"
    error_message = "The permission to call the URL is missing."
  }
  assert {
    condition     = aws_lambda_permission.function_url_invoke[0].action == "lambda:InvokeFunction" && aws_lambda_permission.function_url_invoke[0].invoked_via_function_url
    error_message = "The permission to invoke is missing, or is not for calls through the URL alone."
  }
  assert {
    condition     = length(aws_apigatewayv2_api.this) == 0 && length(aws_api_gateway_rest_api.this) == 0
    error_message = "There is a second door."
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.this["door-errors"].metric_name == "Url5xxCount" && aws_cloudwatch_metric_alarm.this["door-errors"].namespace == "AWS/Lambda" && aws_cloudwatch_metric_alarm.this["door-errors"].dimensions == tomap({ FunctionName = "fileloft-endpoint" })
    error_message = "The alarm watches another door."
  }
}

run "an_authorizer_leaves_preflights_open_on_a_domain_of_ones_own" {
  command = plan
  variables {
    base_url  = "https://uploads.example.com"
    base_path = "/v1/uploads/"
    jwt       = { issuer = "https://issuer.example.com/", audience = ["uploads"] }
  }
  assert {
    condition     = aws_apigatewayv2_route.default[0].authorization_type == "JWT" && aws_apigatewayv2_route.default[0].authorizer_id == aws_apigatewayv2_authorizer.this[0].id
    error_message = "Requests are let through without a token."
  }
  assert {
    condition     = aws_apigatewayv2_authorizer.this[0].jwt_configuration[0].issuer == "https://issuer.example.com/" && aws_apigatewayv2_authorizer.this[0].jwt_configuration[0].audience == toset(["uploads"])
    error_message = "The authorizer asks for other tokens."
  }
  assert {
    condition     = keys(aws_apigatewayv2_route.preflight) == ["OPTIONS /", "OPTIONS /{proxy+}"] && alltrue([for r in aws_apigatewayv2_route.preflight : r.authorization_type == "NONE"])
    error_message = "A browser's preflight, which carries no token, is refused."
  }
  assert {
    condition     = output.endpoint_url == "https://uploads.example.com/v1/uploads/"
    error_message = "The endpoint is ${output.endpoint_url}."
  }
  assert {
    condition     = alltrue([for f in aws_lambda_function.this : f.environment[0].variables.FILELOFT_BASE_URL == "https://uploads.example.com" && f.environment[0].variables.FILELOFT_BASE_PATH == "/v1/uploads/"])
    error_message = "The functions do not know."
  }
}

run "an_authorizer_that_nobody_would_ask_is_refused" {
  command = plan
  variables {
    door = "function-url"
    jwt  = { issuer = "https://issuer.example.com/", audience = ["uploads"] }
  }
  expect_failures = [var.jwt]
}

run "an_authorizer_without_an_audience_is_refused" {
  command = plan
  variables {
    jwt = { issuer = "https://issuer.example.com/", audience = [] }
  }
  expect_failures = [var.jwt]
}

run "an_issuer_without_tls_is_refused" {
  command = plan
  variables {
    jwt = { issuer = "http://issuer.example.com/", audience = ["uploads"] }
  }
  expect_failures = [var.jwt]
}

run "bad_doors_are_refused" {
  command = plan
  variables {
    door           = "alb"
    base_path      = "files"
    base_url       = "https://uploads.example.com/"
    throttle_rate  = 0
    throttle_burst = 1.5
  }
  expect_failures = [var.door, var.base_path, var.base_url, var.throttle_rate, var.throttle_burst]
}
